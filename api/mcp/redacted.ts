import { redactText } from '../redact.ts';

/** JSON for an agent: what it reads may end up anywhere, so tokens go out of it too. */
export function redacted(value: object): string {
  return JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'string' ? redactText(inner) : inner));
}
