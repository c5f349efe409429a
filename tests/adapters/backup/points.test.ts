import { readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newAgeKey, readIdentities, recipientObstacle } from '../../../adapters/backup/age-key.ts';
import { checkBytes, checkManifest, checkSeals } from '../../../adapters/backup/bytes.ts';
import {
  draftName,
  manifestName,
  parseManifestFile,
  readDraft,
  readManifest,
  verifyManifest,
  writeDraft,
  writeManifest,
} from '../../../adapters/backup/manifest-file.ts';
import { createPoints, type Points } from '../../../adapters/backup/points.ts';
import { createMemberReader } from '../../../adapters/backup/sealed-member.ts';
import { openSigningKey, readTrustedKeys, trustKey, type SigningKey } from '../../../adapters/backup/signing-key.ts';
import { draftOf, memberPath, provedOf, sealMembers } from '../../support/recovery-point.ts';
import { removeTree } from '../../support/remove-tree.ts';

const stamp = '20261122T010000Z-9f3c';
const other = '20261122T020000Z-0001';
const watched = { signal: new AbortController().signal };
let home: string;
let keys: string;
let key: SigningKey;
let points: Points;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'holdfast-points-'));
  keys = join(home, 'keys');
  key = await openSigningKey(keys);
  points = createPoints(join(home, 'backups'));
});
afterEach(() => removeTree(home));

/** A point with a member of each kind, proved by word. */
async function make(name = stamp, recipients: string[] = []) {
  const folder = await points.begin(name);
  const draft = draftOf(name, await sealMembers(folder, recipients), recipients);
  await writeManifest(folder, provedOf(draft), key);
  return { folder, draft };
}

async function published(name = stamp, recipients: string[] = []) {
  const { draft } = await make(name, recipients);
  await points.publish(name);
  return { folder: points.folderOf(name, 'kept'), draft };
}

const failed = (findings: readonly { ok: boolean; check: string }[]) =>
  findings.filter(({ ok }) => !ok).map(({ check }) => check);

const partials = async (): Promise<string[]> => (await points.partials()).map((each) => each.stamp);

describe('folders of points', () => {
  it('B1 a point is visible only under its final name, whole, with nothing else in it', async () => {
    const { folder } = await make();
    await writeDraft(folder, draftOf(stamp, await sealMembers(folder)), key);
    expect([await points.list(), await partials()]).toEqual([[], [stamp]]);
    await writeFile(join(folder, 'identity'), 'a key');
    await expect(points.publish(stamp)).rejects.toThrow('identity');
    await unlink(join(folder, 'identity'));
    await points.publish(stamp);
    // Published once is published.
    await points.publish(stamp);
    expect([await points.list(), await partials()]).toEqual([[stamp], []]);
    expect((await readdir(points.folderOf(stamp, 'kept'))).sort()).toEqual([manifestName, 'members']);
    expect((await stat(points.folderOf(stamp, 'kept'))).mode & 0o777).toBe(0o700);
    await expect(points.begin(stamp)).rejects.toThrow('published already');
  });

  it('B1 without a member, or with the manifest of another point, it is not published', async () => {
    const { folder, draft } = await make();
    await writeManifest(folder, provedOf({ ...draft, stamp: other }), key);
    await expect(points.publish(stamp)).rejects.toMatchObject({ type: 'ManifestRefused' });
    await writeManifest(folder, provedOf(draft), key);
    await unlink(memberPath(folder, 1, draft.members));
    await expect(points.publish(stamp)).rejects.toThrow(draft.members[1]?.name);
    await unlink(join(folder, manifestName));
    await expect(points.publish(stamp)).rejects.toMatchObject({ type: 'ManifestRefused' });
    expect(await points.list()).toEqual([]);
  });

  it('B1 an attempt begins with an empty folder, and one that is given up is gone', async () => {
    const { folder } = await make();
    await points.begin(stamp);
    expect(readdirSync(folder)).toEqual(['members']);
    expect(readdirSync(join(folder, 'members'))).toEqual([]);
    await points.discard(stamp);
    await points.discard(stamp);
    expect(await partials()).toEqual([]);
    await expect(points.publish(stamp)).rejects.toMatchObject({ type: 'ManifestRefused' });
  });

  it('B4 trash first, then purged, each as often as it is asked', async () => {
    await published();
    await published(other);
    const trashed_at = new Date('2026-11-23T00:00:00Z');
    await points.trash(stamp, trashed_at);
    await points.trash(stamp, new Date('2026-11-24T00:00:00Z'));
    expect([await points.list(), await points.trashed()]).toEqual([[other], [{ stamp, trashed_at }]]);
    // As a purge that was killed leaves it.
    await unlink(join(points.folderOf(stamp, 'trash'), manifestName));
    await points.purge(stamp);
    await points.purge(stamp);
    expect(await points.trashed()).toEqual([]);
    await expect(points.trash(stamp, trashed_at)).rejects.toMatchObject({ type: 'PointUnknown' });
  });

  it('B4 what was moved to the trash by an attempt that died there has all of its grace', async () => {
    const { folder } = await published();
    const long = new Date('2026-01-01T00:00:00Z');
    await utimes(folder, long, long);
    await points.trash(stamp, long);
    await unlink(join(points.folderOf(stamp, 'trash'), '.trashed'));
    await utimes(points.folderOf(stamp, 'trash'), long, long);
    const [trashed] = await points.trashed();
    // As the docs say that it is had back.
    await rename(points.folderOf(stamp, 'trash'), points.folderOf(stamp, 'kept'));
    await writeFile(join(folder, '.trashed'), '');
    await utimes(join(folder, '.trashed'), long, long);
    const again = new Date('2026-11-24T00:00:00Z');
    await points.trash(stamp, again);
    expect(await points.trashed()).toEqual([{ stamp, trashed_at: again }]);
    expect(Date.now() - (trashed?.trashed_at.getTime() ?? 0)).toBeLessThan(60_000);
  });

  it('B5 one that was pruned and is fetched again is there once, and is pruned again', async () => {
    await published();
    await points.trash(stamp, new Date());
    await published();
    expect([await points.list(), await points.trashed()]).toEqual([[stamp], []]);
    await points.trash(stamp, new Date());
    expect([await points.list(), (await points.trashed()).length]).toEqual([[], 1]);
  });

  it('B4 what is no point is none, and no name leads out of the folder', async () => {
    await published();
    await mkdir(join(home, 'backups', 'lost+found'));
    await writeFile(join(home, 'backups', '20261122T030000Z-aaaa'), 'a file');
    expect(await points.list()).toEqual([stamp]);
    expect(() => points.folderOf('../keys', 'kept')).toThrow('Not a STAMP');
    expect(await createPoints(join(home, 'nowhere')).list()).toEqual([]);
  });
});

describe('signed manifests', () => {
  it('B2 is canonical, signed, and believed from a trusted key only', async () => {
    const { folder, draft } = await published();
    const trusted = await readTrustedKeys(keys);
    expect(await readManifest(folder, trusted)).toEqual(provedOf(draft));

    const elsewhere = join(home, 'elsewhere');
    const bytes = await readFile(join(folder, manifestName));
    await openSigningKey(elsewhere);
    const theirs = await readTrustedKeys(elsewhere);
    expect(() => verifyManifest(bytes, theirs)).toThrow(
      `it is signed by ${key.key_id}, a key that this box does not trust`,
    );
    expect(parseManifestFile(bytes).signature.key_id).toBe(key.key_id);
    expect(await trustKey(elsewhere, key.public_key)).toBe(key.key_id);
    expect(verifyManifest(bytes, await readTrustedKeys(elsewhere))).toEqual(provedOf(draft));
    const secret = await readFile(join(keys, 'backup-signing.pem'), 'utf8');
    await expect(trustKey(elsewhere, secret)).rejects.toMatchObject({ type: 'KeyMissing' });
    await expect(trustKey(elsewhere, 'no key')).rejects.toMatchObject({ type: 'KeyMissing' });
  });

  it('B2 the key is made once, also by two at once, and only its owner reads it', async () => {
    const folder = join(home, 'fresh');
    const made = await Promise.all([openSigningKey(folder), openSigningKey(folder), openSigningKey(folder)]);
    expect(new Set(made.map(({ key_id }) => key_id)).size).toBe(1);
    expect((await stat(join(folder, 'backup-signing.pem'))).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['backup-signing.pem']);
  });

  it('B2 any edit, another shape or another signature is refused', async () => {
    const { folder } = await published();
    const trusted = await readTrustedKeys(keys);
    const text = await readFile(join(folder, manifestName), 'utf8');
    const edits: Record<string, string> = {
      'rows of a table': text.replace('"rows":2', '"rows":3'),
      'the box': text.replace('"box":"test"', '"box":"best"'),
      'a field more': text.replace('{"manifest":{', '{"manifest":{"aaa":1,'),
      spaces: text.replace('{"manifest":{', '{"manifest": {'),
      'a key twice': text.replace('"box":"test"', '"box":"best","box":"test"'),
      'a signature of something else': text.replace(/"value":"..../, '"value":"AAAA'),
      'cut off': text.slice(0, -200),
      nothing: '',
    };
    for (const [edit, edited] of Object.entries(edits)) {
      expect([edit, edited === text]).toEqual([edit, false]);
      expect(() => verifyManifest(Buffer.from(edited), trusted)).toThrow('The manifest is refused');
    }
  });

  it('B2 a draft is signed as well, and is never taken for a manifest', async () => {
    const { folder, draft } = await make();
    await unlink(join(folder, manifestName));
    await writeDraft(folder, draft, key);
    expect(await readDraft(folder, await readTrustedKeys(keys))).toEqual(draft);
    await rename(join(folder, draftName), join(folder, manifestName));
    await expect(readManifest(folder, await readTrustedKeys(keys))).rejects.toMatchObject({ type: 'ManifestRefused' });
    await rm(join(folder, manifestName));
    await expect(readManifest(folder, await readTrustedKeys(keys))).rejects.toThrow('there is no manifest.json');
  });
});

describe('checks of a point', () => {
  it('B3 L0 and L1 pass for what was written, encrypted or not', async () => {
    const { identity, recipient } = await newAgeKey();
    for (const [name, recipients] of [
      [stamp, []],
      [other, [recipient]],
    ] as const) {
      const { folder, draft } = await published(name, [...recipients]);
      const reader = createMemberReader({ folder, identities: [identity], env: process.env });
      const told: number[] = [];
      const beat = ({ done_bytes, total_bytes }: { done_bytes: number; total_bytes: number }) =>
        told.push(done_bytes / total_bytes);
      const L0 = await checkBytes(folder, draft, { ...watched, beat });
      expect([L0.length, failed(L0), told.at(-1)]).toEqual([5, [], 1]);
      const L1 = await checkSeals(reader, draft, watched);
      expect([L1.length, failed(L1)]).toEqual([4, []]);
      const bytes = await readFile(join(folder, manifestName));
      const said = checkManifest(bytes, await readTrustedKeys(keys), name);
      expect([said.manifest?.stamp, failed(said.findings)]).toEqual([name, []]);
    }
  });

  it.each([0, 1, 2, 3])(
    'B3 L0 finds a flipped byte, a cut, a swap, a missing and a strange file: member %s',
    async (index) => {
      const { folder, draft } = await published();
      const theirs = await published(other);
      const path = memberPath(folder, index, draft.members);
      const whole = await readFile(path);
      const check = `member.bytes ${draft.members[index]?.name ?? ''}`;
      const found = async () => failed(await checkBytes(folder, draft, watched));

      await writeFile(path, Buffer.from(whole.map((byte, at) => (at === whole.length >> 1 ? byte ^ 1 : byte))));
      expect(await found()).toEqual([check]);
      await writeFile(path, whole.subarray(0, -1));
      expect(await found()).toEqual([check]);
      await writeFile(path, await readFile(memberPath(theirs.folder, (index + 1) % 4, draft.members)));
      expect(await found()).toEqual([check]);
      await rename(path, `${path}.old`);
      expect(await found()).toEqual(['members.extra', check]);
    },
  );

  it('B3 L1 finds a manifest of another point, one nobody signed, and members without a key to them', async () => {
    const { folder } = await published();
    const { recipient } = await newAgeKey();
    const sealed = await published(other, [recipient]);
    const trusted = await readTrustedKeys(keys);
    const bytes = await readFile(join(folder, manifestName));
    expect(failed(checkManifest(bytes, trusted, other).findings)).toEqual(['manifest.stamp']);
    expect(checkManifest(bytes, trusted, other).manifest).toBeNull();
    expect(failed(checkManifest(bytes, new Map(), stamp).findings)).toEqual(['manifest.signature']);

    const identities = [(await newAgeKey()).identity];
    const reader = createMemberReader({ folder: sealed.folder, identities, env: process.env });
    const findings = await checkSeals(reader, sealed.draft, watched);
    expect(findings.map(({ ok, detail }) => [ok, detail['type']])).toEqual(Array(4).fill([false, 'KeyMissing']));
  });
});

describe('keys of age', () => {
  it('B2 are read as age-keygen writes them; anything else is refused without being shown', async () => {
    const { identity, recipient } = await newAgeKey();
    const path = join(home, 'key.txt');
    await writeFile(path, `# created: today\n# public key: ${recipient}\n${identity}\n`);
    expect(await readIdentities(path)).toEqual([identity]);
    for (const text of ['', '# nothing\n', `${identity.slice(0, -1)}\n`, `${identity}\nhunter2\n`]) {
      await writeFile(path, text);
      await expect(readIdentities(path)).rejects.toThrow(/^((?!hunter2|AGE-SECRET-KEY-1[0-9A-Z]).)*$/);
    }
    await expect(readIdentities(join(home, 'nowhere'))).rejects.toMatchObject({ type: 'KeyMissing' });
    expect(recipientObstacle(recipient)).toBeNull();
    expect(recipientObstacle('ssh-ed25519 AAAA')).toContain('no recipient of age');
  });
});
