import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PermanentFailure } from '../../domain/failures.ts';

export interface SigningKey {
  readonly key_id: string;
  /** In PEM: what another box needs in order to trust what this one signs. */
  readonly public_key: string;
  /** Over the text's UTF-8 bytes, in base64. */
  sign(text: string): string;
}

/** By key id. */
export type TrustedKeys = ReadonlyMap<string, KeyObject>;

/** The key that this box signs recovery points with: <folder>/backup-signing.pem, made at its first use. */
export async function openSigningKey(folder: string): Promise<SigningKey> {
  const path = join(folder, 'backup-signing.pem');
  const pem = (await readOrNull(path)) ?? (await make(path));
  const privateKey = createPrivateKey(pem);
  const publicKey = createPublicKey(pem);
  if (publicKey.asymmetricKeyType !== 'ed25519') throw new PermanentFailure('KeyMissing', `${path} is no Ed25519 key`);
  return {
    key_id: keyIdOf(publicKey),
    public_key: pemOf(publicKey),
    sign: (text) => sign(null, Buffer.from(text), privateKey).toString('base64'),
  };
}

/** Its own, where it has one, and those of other boxes that an operator put into <folder>/trusted as PEM. */
export async function readTrustedKeys(folder: string): Promise<TrustedKeys> {
  const own = await readOrNull(join(folder, 'backup-signing.pem'));
  const trusted = join(folder, 'trusted');
  const names = (await readdir(trusted).catch(emptyIfMissing)).filter((name) => name.endsWith('.pem'));
  const others = await Promise.all(names.map((name) => readFile(join(trusted, name), 'utf8')));
  return new Map(
    [own ?? [], others].flat().map((pem) => {
      const key = publicKeyOf(pem);
      return [keyIdOf(key), key];
    }),
  );
}

/** What another box signs is believed from now on. `pem`: its public key. Returns its id. Throws PermanentFailure `KeyMissing`. */
export async function trustKey(folder: string, pem: string): Promise<string> {
  if (pem.includes('PRIVATE')) throw new PermanentFailure('KeyMissing', 'That is a private key: it stays where it is');
  const key = publicKeyOf(pem);
  const id = keyIdOf(key);
  await mkdir(join(folder, 'trusted'), { recursive: true, mode: 0o700 });
  await place(join(folder, 'trusted', `${id}.pem`), pemOf(key));
  return id;
}

function publicKeyOf(pem: string): KeyObject {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Said below, without what is in it.
  }
  throw new PermanentFailure('KeyMissing', 'That is no public Ed25519 key in PEM');
}

function keyIdOf(key: KeyObject): string {
  const { x = '' } = key.export({ format: 'jwk' });
  return createHash('sha256').update(Buffer.from(x, 'base64url')).digest('hex');
}

function pemOf(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'spki' }) as string;
}

async function make(path: string): Promise<string> {
  const { privateKey } = generateKeyPairSync('ed25519');
  await mkdir(join(path, '..'), { recursive: true, mode: 0o700 });
  await place(path, privateKey.export({ format: 'pem', type: 'pkcs8' }) as string);
  // Of several processes that make one, all go on with the first.
  return readFile(path, 'utf8');
}

/** Whole and on the disk, or not at all; what is there already stays. */
async function place(path: string, text: string): Promise<void> {
  const partial = `${path}.${process.pid}.${createHash('sha256').update(text).digest('hex').slice(0, 8)}.partial`;
  const file = await open(partial, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
    await link(partial, path).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    });
  } finally {
    await file.close();
    await rm(partial, { force: true });
  }
  const folder = await open(join(path, '..'));
  await folder.sync().finally(() => folder.close());
}

async function readOrNull(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  });
}

function emptyIfMissing(error: unknown): string[] {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
  throw error;
}
