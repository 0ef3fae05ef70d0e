/** A handled failure. The one error handler of the server turns it into the answer; nobody else catches it. */
export class Problem extends Error {
  readonly code: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: string, status: number, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail);
    this.name = 'Problem';
    this.code = code;
    this.status = status;
    this.headers = headers;
  }
}

export function notFound(what: string, id: number): Problem {
  return new Problem('not_found', 404, `${what} with ID ${id} not found`);
}

/** A body refers to a record that does not exist. */
export function unknownReference(what: string, id: number): Problem {
  return new Problem('unknown_reference', 400, `${what} with ID ${id} not found`);
}

export function nameTaken(what: string, name: string): Problem {
  return new Problem('name_taken', 409, `${what} with name '${name}' already exists`);
}

/** The record cannot go: others refer to it. `users` is for example "3 purposes". */
export function inUse(what: string, id: number, users: string): Problem {
  return new Problem('in_use', 409, `${what} with ID ${id} cannot be deleted: it is used by ${users}`);
}
