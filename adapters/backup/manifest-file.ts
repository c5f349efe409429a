import { verify } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import {
  manifestDraftSchema,
  manifestSchema,
  signatureSchema,
  type Manifest,
  type ManifestDraft,
} from '../../domain/backup/manifest.ts';
import { canonicalJson } from '../../domain/canonical-json.ts';
import { PermanentFailure } from '../../domain/failures.ts';
import { noRoomOr } from '../files/no-room.ts';
import type { SigningKey, TrustedKeys } from './signing-key.ts';

export const manifestName = 'manifest.json';
/** What was taken and is not proved yet: never in a folder with a final name. */
export const draftName = 'draft.json';

const envelopeSchema = z.strictObject({ manifest: z.record(z.string(), z.unknown()), signature: signatureSchema });
type Signature = z.infer<typeof signatureSchema>;

/** Whole or not at all, and on the disk when this returns; its folder is synced by whoever publishes it. */
export async function writeManifest(folder: string, manifest: Manifest, key: SigningKey): Promise<void> {
  await write(join(folder, manifestName), signed(manifestSchema.parse(manifest), key));
}

export async function writeDraft(folder: string, draft: ManifestDraft, key: SigningKey): Promise<void> {
  await write(join(folder, draftName), signed(manifestDraftSchema.parse(draft), key));
}

/** Row B2: believed only when a trusted key signed it. Throws PermanentFailure `ManifestRefused`. */
export async function readManifest(folder: string, trusted: TrustedKeys): Promise<Manifest> {
  return verifyManifest(await readBytes(folder, manifestName), trusted);
}

export async function readDraft(folder: string, trusted: TrustedKeys): Promise<ManifestDraft> {
  const { manifest, signature } = envelopeOf(await readBytes(folder, draftName));
  expectSigned(manifest, signature, trusted);
  return shaped(manifestDraftSchema, manifest);
}

/** The bytes of a manifest.json, from wherever they come. Nothing of it is looked at before its signature. */
export function verifyManifest(bytes: Uint8Array, trusted: TrustedKeys): Manifest {
  const { manifest, signature } = envelopeOf(bytes);
  expectSigned(manifest, signature, trusted);
  return shaped(manifestSchema, manifest);
}

/** What it says of itself, and who it says has signed it: for lists, and to ask whether a key is to be trusted. */
export function parseManifestFile(bytes: Uint8Array): { readonly manifest: Manifest; readonly signature: Signature } {
  const { manifest, signature } = envelopeOf(bytes);
  return { manifest: shaped(manifestSchema, manifest), signature };
}

export async function readBytes(folder: string, name: string): Promise<Buffer> {
  return readFile(join(folder, name)).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw refused(`there is no ${name}`);
  });
}

function signed(manifest: Manifest | ManifestDraft, key: SigningKey): string {
  const signature: Signature = { alg: 'Ed25519', key_id: key.key_id, value: key.sign(canonicalJson(manifest)) };
  return `${canonicalJson({ manifest, signature })}\n`;
}

function envelopeOf(bytes: Uint8Array): z.infer<typeof envelopeSchema> {
  let value: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
    // Two texts of one meaning, such as one with a key given twice, would be read by others in two ways.
    if (`${canonicalJson(value)}\n` !== text) throw new Error('not canonical');
  } catch (error) {
    throw refused(`it is no canonical JSON: ${(error as Error).message.slice(0, 200)}`);
  }
  return shaped(envelopeSchema, value);
}

function expectSigned(manifest: unknown, { key_id, value }: Signature, trusted: TrustedKeys): void {
  const key = trusted.get(key_id);
  if (key === undefined) throw refused(`it is signed by ${key_id}, a key that this box does not trust`);
  const bytes = Buffer.from(canonicalJson(manifest));
  if (!verify(null, bytes, key, Buffer.from(value, 'base64'))) throw refused('its signature does not fit it');
}

function shaped<T>(schema: z.ZodType<T>, value: unknown): T {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  throw refused(z.prettifyError(read.error).slice(0, 500));
}

function refused(why: string): PermanentFailure {
  return new PermanentFailure('ManifestRefused', `The manifest is refused: ${why}`);
}

async function write(path: string, text: string): Promise<void> {
  const partial = `${path}.partial`;
  const file = await open(partial, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } catch (error) {
    throw noRoomOr(error);
  } finally {
    await file.close();
  }
  await rename(partial, path);
}
