import { uuidv5 } from './uuid.ts';

/** Any fixed uuid; changing it would make old idempotency keys start anew. */
const namespace = '7d1c2c0f-5a3e-4f0d-9b6a-1e2f3c4d5b6a';

/**
 * The id of what this token asks for under this idempotency key, a deploy, a wave: a version 5 uuid (RFC 9562). The same request
 * has the same id even when the process that answered it died before it could note down that it had.
 */
export function idOfRequest(tokenId: string, key: string): string {
  return uuidv5(namespace, `${tokenId}\n${key}`);
}
