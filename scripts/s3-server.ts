import { S3_BINARY, S3_MODULE } from '@calculaud/testing/s3-binary';
import { goInstall } from './go-install.ts';

/** Builds the S3 server that tests talk to, unless it is there. Needs Go; takes some minutes, once. */

goInstall(S3_MODULE, S3_BINARY);
