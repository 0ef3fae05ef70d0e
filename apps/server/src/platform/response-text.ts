/** The body of an answer to a request of ours; throws when it is larger than expected, without reading on. */
export async function responseText(response: Response, maxBytes: number): Promise<string> {
  const body: AsyncIterable<Uint8Array> | null = response.body;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) {
      // Leaving the loop cancels the rest.
      throw new Error(`The answer is larger than ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
