/** A migration as its file is called. */
export function labelOf({ number, name }: { readonly number: number; readonly name: string }): string {
  return `${String(number).padStart(4, '0')}_${name}`;
}
