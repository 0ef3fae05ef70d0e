export interface FormFile {
  readonly filename?: string | undefined;
  readonly contentType?: string;
  readonly content?: string | Uint8Array;
  readonly field?: string;
}

const BOUNDARY = '----calculaud-form';

export const formHeaders = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` };

/** The body of an upload exactly as written here: programs other than browsers send what browsers never would. */
export function form({ filename, contentType, content = 'content', field = 'file' }: FormFile): Uint8Array {
  return Buffer.concat([
    Buffer.from(
      `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${field}"${
        filename === undefined ? '' : `; filename="${filename}"`
      }\r\n${contentType === undefined ? '' : `content-type: ${contentType}\r\n`}\r\n`,
    ),
    Buffer.from(content),
    Buffer.from(`\r\n--${BOUNDARY}--\r\n`),
  ]);
}
