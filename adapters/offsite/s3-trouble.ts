import type { S3Spec } from '../../domain/offsite/spec.ts';
import { OffsiteTrouble } from '../../domain/offsite/trouble.ts';

const refusedNames = [
  ...['AccessDenied', 'InvalidAccessKeyId', 'SignatureDoesNotMatch', 'NoSuchBucket', 'PermanentRedirect'],
  ...[
    'AuthorizationHeaderMalformed',
    'RequestTimeTooSkewed',
    'AllAccessDisabled',
    'AccountProblem',
    'InvalidBucketName',
  ],
  // Of servers that have no such request, or want it in another form.
  ...['NotImplemented', 'MethodNotAllowed', 'MissingContentMD5'],
];
/** Of several servers: there is one word for it in no standard. */
const fullNames = /QuotaExceeded|StorageFull|InsufficientStorage|InsufficientCapacity|no space left/i;
const awayCodes = /^(E(CONN|HOST|NET|AI_)|ENOTFOUND|ETIMEDOUT|EPIPE|TimeoutError|ERR_SSL)/;

const awayWords = /socket hang up|aborted|premature|ECONN|EHOST|ENET|ETIMEDOUT|EPIPE|timeout/i;

/** What the SDK threw, as the trouble that it is; anything else as it came. */
export function s3Trouble(error: unknown, { endpoint, bucket }: S3Spec): unknown {
  if (error instanceof OffsiteTrouble) return error;
  const { name = '', code = '', message = '', $metadata } = error as Partial<SdkError>;
  const place = `${endpoint ?? 's3'}/${bucket}`;
  const status = $metadata?.httpStatusCode ?? 0;
  if (fullNames.test(`${name} ${message}`) || status === 507)
    return new OffsiteTrouble('full', `There is no room left at ${place}: ${message || name}`, { cause: error });
  if (refusedNames.includes(name) || status === 401 || status === 403)
    return new OffsiteTrouble('refused', `${place} refuses: ${name} ${message}`.trim(), { cause: error });
  if (awayCodes.test(code) || awayCodes.test(name) || awayWords.test(message) || status >= 500)
    return new OffsiteTrouble('away', `${place} does not answer: ${message || name || code}`, { cause: error });
  return error;
}

interface SdkError {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly $metadata: { readonly httpStatusCode?: number };
}
