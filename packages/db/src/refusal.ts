/** A state of the database in which nothing was changed on purpose; the hint says what to do. */
export class DatabaseRefusal extends Error {
  override readonly name = 'DatabaseRefusal';
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}
