import { Decrypter, Encrypter } from 'age-encryption';
import fc from 'fast-check';
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, symlink, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { newAgeKey, type AgeKey } from '../../../adapters/backup/age-key.ts';
import { createMemberReader, createMemberWriter } from '../../../adapters/backup/sealed-member.ts';
import type { Member } from '../../../domain/backup/manifest.ts';
import { removeTree } from '../../support/remove-tree.ts';

const { env } = process;
const signal = new AbortController().signal;
const unencrypted = { name: 'files-staged.tar', kind: 'files', compression: 'zstd' } as const;
let key: AgeKey;
let folder: string;

beforeAll(async () => {
  key = await newAgeKey();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-members-'));
  await mkdir(join(folder, 'members'));
});
afterEach(() => removeTree(folder));

const pathOf = ({ name }: Pick<Member, 'name'>) => join(folder, 'members', name);
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

function seal(bytes: Uint8Array | Readable, recipients: string[], member: Parameters<Writer['seal']>[0] = unencrypted) {
  const plain = bytes instanceof Readable ? bytes : Readable.from(chunksOf(bytes), { objectMode: false });
  return createMemberWriter({ folder, recipients, env }).seal(member, plain, signal);
}
type Writer = ReturnType<typeof createMemberWriter>;

async function read(member: Member, identities: string[] = [key.identity]): Promise<Buffer> {
  const read: Buffer[] = [];
  for await (const chunk of createMemberReader({ folder, identities, env }).open(member, signal)) {
    read.push(chunk as Buffer);
  }
  return Buffer.concat(read);
}

function* chunksOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 50_000) yield bytes.subarray(at, at + 50_000);
}

/** Half of it can be compressed. */
const sample = (bytes: number) => Buffer.concat([randomBytes(bytes >> 1), Buffer.alloc(bytes - (bytes >> 1), 'text ')]);

describe('B2 sealed members', () => {
  it.each([
    ['zstd', false],
    ['zstd', true],
    ['none', false],
    ['none', true],
  ] as const)(
    'B2 come out as they went in, with sizes and hashes of both: %s, encrypted %s',
    async (compression, encrypted) => {
      const plain = sample(3_000_001);
      const member = await seal(plain, encrypted ? [key.recipient] : [], { ...unencrypted, compression });
      const stored = await readFile(pathOf(member));
      expect(member).toEqual({
        ...{ kind: 'files', compression },
        name: `files-staged.tar${compression === 'zstd' ? '.zst' : ''}${encrypted ? '.age' : ''}`,
        plain: { bytes: plain.length, sha256: sha256(plain) },
        stored: { bytes: stored.length, sha256: sha256(stored) },
      });
      expect(await readdir(join(folder, 'members'))).toEqual([member.name]);
      expect(plain.equals(await read(member))).toBe(true);
    },
  );

  it('B2 any age program reads what was encrypted, and what it encrypts is read, at every size near a piece', async () => {
    const piece = 65_536;
    const sizes = [0, 1, piece - 1, piece, piece + 1, 2 * piece, 3 * piece + 17];
    for (const size of sizes) {
      const plain = randomBytes(size);
      const member = await seal(plain, [key.recipient], { ...unencrypted, compression: 'none' });
      const stored = await readFile(pathOf(member));
      const decrypter = new Decrypter();
      decrypter.addIdentity(key.identity);
      expect(plain.equals(await decrypter.decrypt(stored))).toBe(true);

      const encrypter = new Encrypter();
      encrypter.addRecipient(key.recipient);
      const theirs = await encrypter.encrypt(plain);
      await writeFile(pathOf(member), theirs);
      expect(plain.equals(await read({ ...member, stored: { bytes: theirs.length, sha256: sha256(theirs) } }))).toBe(
        true,
      );
    }
  });

  it('B2 each of several recipients can open it, and nobody else', async () => {
    const [other, stranger] = [await newAgeKey(), await newAgeKey()];
    const plain = sample(100_000);
    const member = await seal(plain, [key.recipient, other.recipient]);
    expect(plain.equals(await read(member, [key.identity]))).toBe(true);
    expect(plain.equals(await read(member, [stranger.identity, other.identity]))).toBe(true);
    await expect(read(member, [stranger.identity])).rejects.toMatchObject({ type: 'KeyMissing' });
    await expect(read(member, [])).rejects.toMatchObject({ type: 'KeyMissing' });
  });

  it.each([false, true])('B3 a flipped bit or a cut anywhere is found: encrypted %s', async (encrypted) => {
    const member = await seal(sample(200_000), encrypted ? [key.recipient] : []);
    const whole = await readFile(pathOf(member));
    const place = fc.noBias(fc.nat(999_999)).map((millionths) => millionths / 1_000_000);
    await fc.assert(
      fc.asyncProperty(place, fc.nat(7), fc.constantFrom('flip', 'cut', 'append'), async (where, bit, damage) => {
        const at = Math.floor(where * whole.length);
        const bytes = Buffer.from(whole);
        if (damage === 'flip') bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
        const damaged =
          damage === 'cut'
            ? bytes.subarray(0, at)
            : damage === 'append'
              ? Buffer.concat([bytes, bytes.subarray(at)])
              : bytes;
        await writeFile(pathOf(member), damaged);
        // A header that is damaged may be one for somebody else.
        await expect(read(member)).rejects.toMatchObject({
          type: expect.stringMatching(/^(MemberDamaged|KeyMissing)$/) as string,
        });
      }),
      { numRuns: 60 },
    );
  });

  it('B3 a whole member that is another one is found by its hash, also when it is encrypted to the same key', async () => {
    const member = await seal(sample(10_000), [key.recipient]);
    const other = await seal(sample(10_000), [key.recipient], { ...unencrypted, name: 'files-other.tar' });
    await writeFile(pathOf(member), await readFile(pathOf(other)));
    await expect(read(member)).rejects.toMatchObject({ type: 'MemberDamaged' });
    await unlink(pathOf(member));
    await expect(read(member)).rejects.toMatchObject({ type: 'MemberMissing' });
  });

  it('B3 what decompresses to more than the manifest says is stopped there', async () => {
    const bomb = spawnSync('zstd', ['-q', '-c'], { input: Buffer.alloc(200_000_000), maxBuffer: 1 << 30 }).stdout;
    const member = await seal(Buffer.alloc(1_000), []);
    await writeFile(pathOf(member), bomb);
    let most = 0;
    const reading = createMemberReader({ folder, identities: [], env }).open(member, signal);
    reading.on('data', (chunk: Buffer) => (most += chunk.length));
    await expect(new Promise((resolve, reject) => reading.once('end', resolve).once('error', reject))).rejects.toThrow(
      'it is longer than the manifest says',
    );
    expect(most).toBeLessThan(1_000_000);
  });

  it('B1 a source that fails half way leaves nothing with a name of a member, and says why', async () => {
    const failing = Readable.from(
      (function* () {
        yield randomBytes(300_000);
        throw new Error('pg_dump ended with 1');
      })(),
      { objectMode: false },
    );
    await expect(seal(failing, [key.recipient])).rejects.toThrow('pg_dump ended with 1');
    expect(await readdir(join(folder, 'members'))).toEqual([]);
  });

  it('B1 a full disk fails the member for good, and leaves nothing', async () => {
    // What is written to it finds no space: the kernel says so, as on a disk.
    await symlink('/dev/full', join(folder, 'members', 'files-staged.tar.zst.partial'));
    await expect(seal(randomBytes(3_000_000), [])).rejects.toMatchObject({ type: 'NoRoom' });
    expect(await readdir(join(folder, 'members'))).toEqual([]);
  });

  it('B1 an abort ends it, and nothing is left', async () => {
    const controller = new AbortController();
    const endless = Readable.from(
      (async function* () {
        for (let count = 0; ; count += 1) {
          if (count === 20) controller.abort();
          yield randomBytes(65_536);
          await new Promise(setImmediate);
        }
      })(),
      { objectMode: false },
    );
    const writer = createMemberWriter({ folder, recipients: [key.recipient], env });
    await expect(writer.seal(unencrypted, endless, controller.signal)).rejects.toThrow(/abort/i);
    expect(await readdir(join(folder, 'members'))).toEqual([]);
  });

  it('B1 without zstd it says that it could not be started', async () => {
    const writer = createMemberWriter({ folder, recipients: [], env: { PATH: folder } });
    await expect(writer.seal(unencrypted, Readable.from([randomBytes(10)]), signal)).rejects.toThrow(/zstd/);
    const member = await seal(sample(1_000), []);
    const reading = createMemberReader({ folder, identities: [], env: { PATH: folder } }).open(member, signal);
    // No damage of the member: it is the box that lacks something.
    await expect(reading.toArray()).rejects.toMatchObject({ code: 'ENOENT', syscall: 'spawn zstd' });
    await truncate(pathOf(member), 10);
    await expect(read(member)).rejects.toMatchObject({ type: 'MemberDamaged' });
  });
});
