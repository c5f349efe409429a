import { createHmac, timingSafeEqual } from 'node:crypto';

/** What the webhook of a project is signed with. Made of the installation's key: one tells nothing of another. */
export function webhookSecret(key: string, project: string): string {
  return createHmac('sha256', key).update(`webhook/${project}`).digest('hex');
}

export interface WebhookHeaders {
  readonly get: (name: string) => string | undefined;
}

/**
 * Whether a push comes from somebody who knows the secret: GitHub, Gitea and Forgejo sign the body (HMAC-SHA256), GitLab
 * sends the secret itself.
 */
export function isSigned({ get }: WebhookHeaders, body: Uint8Array, secret: string): boolean {
  const expected = createHmac('sha256', secret).update(body).digest('hex');
  const signature = get('x-hub-signature-256')?.replace(/^sha256=/, '') ?? get('x-gitea-signature');
  if (signature !== undefined) return same(signature.toLowerCase(), expected);
  const token = get('x-gitlab-token');
  return token !== undefined && same(token, secret);
}

function same(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
