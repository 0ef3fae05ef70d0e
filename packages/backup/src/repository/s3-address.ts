export interface S3Place {
  readonly bucket: string;
  /** Of all keys, without a slash at its ends; empty: the repository has the bucket for itself. */
  readonly prefix: string;
  /** undefined: AWS. */
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
}

/** It opens the same store again. */
export function s3Address({ bucket, prefix, endpoint, region }: S3Place): string {
  const more = [...(endpoint ? [`endpoint=${endpoint}`] : []), ...(region ? [`region=${region}`] : [])];
  const path = prefix === '' ? '' : `/${prefix}`;
  return `s3://${bucket}${path}${more.length > 0 ? `?${more.join('&')}` : ''}`;
}
