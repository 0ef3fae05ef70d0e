const BOUNDARY = 'calculaud-7c0f6a52d1e94b0c';

export interface Multipart {
  readonly contentType: string;
  readonly body: Buffer;
}

/** A form with one file, as a browser sends it. */
export function multipart(name: string, type: string, content: Buffer): Multipart {
  const { head, tail, contentType } = multipartAround(name, type);
  return { contentType, body: Buffer.concat([head, content, tail]) };
}

/** What stands before and after the content of the file. */
export function multipartAround(
  name: string,
  type: string,
): { contentType: string; head: Buffer; tail: Buffer } {
  return {
    contentType: `multipart/form-data; boundary=${BOUNDARY}`,
    head: Buffer.from(
      `--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="${name}"\r\ncontent-type: ${type}\r\n\r\n`,
    ),
    tail: Buffer.from(`\r\n--${BOUNDARY}--\r\n`),
  };
}
