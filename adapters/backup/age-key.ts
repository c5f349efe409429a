import { Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { readFile } from 'node:fs/promises';
import { PermanentFailure } from '../../domain/failures.ts';

/** Both halves of a key of age. The identity decrypts: on a box that only makes backups there is none. */
export interface AgeKey {
  readonly identity: string;
  readonly recipient: string;
}

export async function newAgeKey(): Promise<AgeKey> {
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}

/** The identities in a file as age-keygen writes it: one a line, comments by #. Throws PermanentFailure `KeyMissing`. */
export async function readIdentities(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new PermanentFailure('KeyMissing', `No keys of age: ${(error as Error).message}`);
  });
  const lines = text.split('\n').map((line) => line.trim());
  const identities = lines.filter((line) => line !== '' && !line.startsWith('#'));
  // Said without the line: it may be a secret that was pasted badly.
  if (identities.length === 0 || !(await Promise.all(identities.map(isIdentity))).every(Boolean)) {
    throw new PermanentFailure('KeyMissing', `${path} must hold keys of age (AGE-SECRET-KEY-1…), one a line`);
  }
  return identities;
}

/** null: age can encrypt to it. */
export function recipientObstacle(recipient: string): string | null {
  try {
    new Encrypter().addRecipient(recipient);
    return null;
  } catch {
    return `${JSON.stringify(recipient.slice(0, 80))} is no recipient of age (age1…)`;
  }
}

function isIdentity(line: string): Promise<boolean> {
  return identityToRecipient(line).then(
    () => true,
    () => false,
  );
}
