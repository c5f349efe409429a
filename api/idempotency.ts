import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import type { Request } from 'express';
import type postgres from 'postgres';
import type { IdempotencyStore } from '../adapters/postgres/idempotency.ts';
import type { Caller } from '../adapters/postgres/tokens.ts';
import { ApiProblem } from './problem.ts';
import type { Answer } from './perform.ts';

interface Keyed {
  readonly caller: Caller;
  readonly bearer: string;
  readonly key: string;
  /** What the key stands for. */
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly requestId: string;
}

export type AnswerOnce = (keyed: Keyed, effect: (tx: postgres.ISql) => Promise<Answer>) => Promise<Answer>;

/** What a key looks like. */
export const keyForm = { pattern: /^[\x20-\x7e]{1,255}$/, message: '1 to 255 printable ASCII characters' };

/** The header of a POST, checked; null without one. */
export function idempotencyKey(request: Request): string | null {
  const key = request.get('idempotency-key');
  if (key === undefined || request.method !== 'POST') return null;
  if (keyForm.pattern.test(key)) return key;
  const errors = [{ path: 'idempotency-key', message: keyForm.message }];
  throw new ApiProblem('invalid_request', `idempotency-key: ${keyForm.message}`, { errors });
}

/** Success and conflict are answers for ever; a refused or failed request may be sent again and is not recorded. */
export function createAnswerOnce(store: IdempotencyStore): AnswerOnce {
  return async (asked, effect) => {
    const { caller, bearer, key, requestId } = asked;
    const keyed = { token_id: caller.id, key, request_sha256: fingerprint(asked) };
    const recorded = await store.answer(keyed, async (tx) => {
      const answer = await effect(tx).catch((error: unknown) => conflictAnswer(error, requestId));
      return { status: answer.status, body: { sealed: seal(answer, bearer) } };
    });
    return open(String(recorded.body['sealed']), bearer);
  };
}

function conflictAnswer(error: unknown, requestId: string): Answer {
  if (error instanceof ApiProblem && error.status === 409) return { status: 409, body: error.body(requestId) };
  throw error;
}

function fingerprint({ method, path, body = null }: Keyed): Buffer {
  return createHash('sha256')
    .update(`${method} ${path}\n${JSON.stringify(body)}`)
    .digest();
}

// An answer may hold a new token. It is stored so that only the caller's own token opens it: the database holds just that
// token's hash, and nobody else can ask for this answer anyway.
function seal(answer: Answer, bearer: string): string {
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', sealingKey(bearer), iv);
  const sealed = Buffer.concat([cipher.update(JSON.stringify(answer)), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64');
}

function open(sealed: string, bearer: string): Answer {
  const bytes = Buffer.from(sealed, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', sealingKey(bearer), bytes.subarray(0, 12));
  decipher.setAuthTag(bytes.subarray(12, 28));
  return JSON.parse(Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString()) as Answer;
}

function sealingKey(bearer: string): Buffer {
  return Buffer.from(hkdfSync('sha256', bearer, '', 'holdfast idempotency answer', 32));
}
