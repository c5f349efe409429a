import { randomUUID } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { LocalPoint } from '../../../adapters/offsite/local-point.ts';
import type { OffsiteTarget } from '../../../adapters/offsite/target.ts';
import type { Finding } from '../../../domain/backup/finding.ts';
import type { TroubleKind } from '../../../domain/offsite/trouble.ts';
import { canMount, createSmallDisk } from '../../support/own-home.ts';
import { buildMs } from '../../support/s3-server.ts';
import { offsiteGround, type Kind, type OffsiteGround } from './ground.ts';
import { removalContract } from './removal-contract.ts';

const big = 'postgres-holdfast.dump.tar.zst';
const small = 'postgres-holdfast_ops.dump.tar.zst';

/** Row B5 on a real server of one kind: what holds for every other kind too. */
export function targetContract(kind: Kind): void {
  let ground: OffsiteGround;
  let target: OffsiteTarget;
  beforeAll(async () => {
    ground = await offsiteGround(kind);
    target = await ground.open();
    await target.prepare();
  }, buildMs);
  afterAll(async () => {
    await target.close();
    await ground.close();
  });

  const member = (point: LocalPoint, name: string): string => join(ground.files, point.stamp, 'members', name);

  test('B5 a point is put, listed, read back, fetched byte for byte and removed', async () => {
    const point = await ground.point();
    const steps = new Map<string, number>();
    const findings = await target.put(point, { progress: ({ step, done_bytes }) => steps.set(step, done_bytes) });
    expectWhole(findings, point);
    const total = point.members.reduce((sum, { stored }) => sum + stored.bytes, 0);
    expect(Object.fromEntries(steps)).toEqual({ upload: total, read_back: total });
    const bytes = total + point.manifest.bytes;
    await expect(target.list()).resolves.toContainEqual({ stamp: point.stamp, complete: true, bytes });
    expectWhole(await target.readBack(point), point);

    const folder = join(ground.path, 'pulled', point.stamp);
    expectWhole(await target.get(point.stamp, folder), point, { withManifest: false });
    for (const name of ['manifest.json', ...point.members.map((each) => `members/${each.name}`)])
      expect(readFileSync(join(folder, name)).equals(readFileSync(join(point.folder, name)))).toBe(true);

    await target.remove(point);
    expect((await target.list()).map(({ stamp }) => stamp)).not.toContain(point.stamp);
    await expect(target.readBack(point)).resolves.toContainEqual(
      expect.objectContaining({ check: 'offsite.manifest', ok: false, reason: 'It is not at the target' }),
    );
    await expectTrouble(target.get(point.stamp, folder), 'gone');
  });

  test('B5 what is put again is not sent again, and read back all the same', async () => {
    const point = await ground.point();
    await target.put(point);
    const before = statSync(member(point, big)).mtimeMs;
    expectWhole(await target.put(point), point);
    expect(statSync(member(point, big)).mtimeMs).toBe(before);
  });

  test('B5 a member that was swapped at the target is found by reading back, and put right by the next push', async () => {
    const point = await ground.point();
    await target.put(point);
    const other = readFileSync(member(await putAnother(), big));
    writeFileSync(member(point, big), other);
    expect(failed(await target.readBack(point))).toEqual([`offsite.member ${big}`]);
    expect(failed(await target.get(point.stamp, join(ground.path, 'swapped', point.stamp)))).toEqual([
      `offsite.member ${big}`,
    ]);
    expect(existsSync(join(ground.path, 'swapped', point.stamp, 'manifest.json'))).toBe(false);
    expectWhole(await target.put(point), point);
  });

  test('B5 one byte flipped, a member cut and a member gone are each found', async () => {
    const point = await ground.point();
    await target.put(point);
    const content = readFileSync(member(point, small));
    content.writeUInt8(content.readUInt8(1_000) ^ 1, 1_000);
    writeFileSync(member(point, small), content);
    expect(failed(await target.readBack(point))).toEqual([`offsite.member ${small}`]);
    writeFileSync(member(point, small), content.subarray(0, 20_000));
    expect(failed(await target.readBack(point))).toEqual([`offsite.member ${small}`]);
    rmSync(member(point, small));
    expect(failed(await target.readBack(point))).toEqual([`offsite.member ${small}`]);
  });

  // What this side reads by itself: a server answers for the others.
  const notFiles =
    kind === 'directory' || kind === 'rsync' ? ['mkfifo "$0"', 'ln -s /etc/hostname "$0"', 'mkdir "$0"'] : [];
  for (const command of notFiles) {
    test(`B5 what is no file is refused by its name, and never waited for: ${command}`, async () => {
      const point = await ground.point();
      await target.put(point);
      for (const path of [member(point, small), join(ground.files, point.stamp, 'manifest.json')]) {
        rmSync(path);
        execFileSync('sh', ['-c', command, path]);
        const trouble = { kind: 'refused', message: expect.stringContaining(basename(path)) as string };
        await expect(target.readBack(point)).rejects.toMatchObject(trouble);
        await expect(target.get(point.stamp, join(ground.path, 'none', point.stamp))).rejects.toMatchObject(trouble);
      }
    });
  }

  test('B5 another manifest under the same STAMP is refused, and nothing of it is touched', async () => {
    const point = await ground.point();
    await target.put(point);
    const there = join(ground.files, point.stamp, 'manifest.json');
    const edited = readFileSync(there, 'utf8').replace('"box":"test"', '"box":"tess"');
    writeFileSync(there, edited);
    await expectTrouble(target.put(point), 'differs');
    expect(readFileSync(there, 'utf8')).toBe(edited);
    expect(failed(await target.readBack(point))).toEqual(['offsite.manifest']);
  });

  test('B5 a member that changed on this box after its manifest was written is never a copy', async () => {
    const point = await ground.point();
    const content = readFileSync(join(point.folder, 'members', small));
    content.writeUInt8(content.readUInt8(7) ^ 1, 7);
    writeFileSync(join(point.folder, 'members', small), content);
    expect(failed(await target.put(point))).toEqual([`offsite.member ${small}`]);
    expect((await target.list()).find(({ stamp }) => stamp === point.stamp)).toMatchObject({ complete: false });
  });

  test('B5 another target of Holdfast is not written to', async () => {
    const other = await ground.open({ id: randomUUID() });
    await expectTrouble(other.prepare(), 'refused');
    await expectTrouble(other.put(await ground.point()), 'refused');
    await expectTrouble(other.list(), 'refused');
    await other.close();
    const whichever = await ground.open({ id: null });
    await expect(whichever.marker()).resolves.toBe(ground.id);
    await whichever.close();
  });

  test('B5 a pull that was stopped goes on, and names nothing that is not whole', async () => {
    const point = await ground.point({ bytes: 9_000_000 });
    await target.put(point);
    const folder = join(ground.path, 'stopped', point.stamp);
    const stop = new AbortController();
    const stopped = await ground.open({ signal: stop.signal });
    const progress = ({ done_bytes }: { done_bytes: number }): void => {
      if (done_bytes > 1_000_000) stop.abort(new Error('stopped by the test'));
    };
    await expect(stopped.get(point.stamp, folder, { progress })).rejects.toThrow();
    await stopped.close();
    expect(existsSync(join(folder, 'manifest.json'))).toBe(false);
    expectWhole(await target.get(point.stamp, folder), point, { withManifest: false });
  });

  removalContract(() => ({ ground, target }));
  if (kind !== 'directory') networkContract(() => ground);
  diskContract(kind);

  async function putAnother(): Promise<LocalPoint> {
    const point = await ground.point();
    await target.put(point);
    return point;
  }
}

/** What a host that is somewhere else can do. */
function networkContract(on: () => OffsiteGround): void {
  const lineOf = (ground: OffsiteGround) => {
    if (ground.line === null) throw new Error('A directory has no line');
    return ground.line;
  };

  test('B5 an upload that drops half way is invisible, and goes on where it was', async () => {
    const ground = on();
    const line = lineOf(ground);
    const point = await ground.point({ bytes: 40_000_000 });
    const target = await ground.open();
    await target.list();
    line.cutAfter(34_000_000);
    await expectTrouble(target.put(point), 'away');
    await target.close();
    line.up();

    const again = await ground.open();
    expect((await again.list()).filter(({ stamp, complete }) => stamp === point.stamp && complete)).toEqual([]);
    await expectTrouble(again.get(point.stamp, join(ground.path, 'half')), 'gone');
    line.sent = 0;
    expectWhole(await again.put(point), point);
    // 40 MB in all. Of the 34 that were sent, three parts of 8 MiB may have been under way at once in S3; others lose less.
    expect(line.sent).toBeLessThan(30_000_000);
    await again.remove(point);
    await again.close();
  });

  test('B5 a host that is asleep is away, not empty', async () => {
    const ground = on();
    const line = lineOf(ground);
    line.down();
    const target = await ground.open();
    await expectTrouble(target.list(), 'away');
    await expectTrouble(target.put(await ground.point()), 'away');
    line.up();
    await expect(target.list()).resolves.toBeDefined();
    await target.close();
  });
}

function diskContract(kind: Kind): void {
  (canMount ? test : test.failing)(
    'B5 a full disk at the target is said to be full; with room the push goes on',
    async () => {
      const folder = join('/tmp', `holdfast-disk-${randomUUID()}`);
      const disk = createSmallDisk(folder, '8m');
      const ground = await offsiteGround(kind, { files: folder });
      const target = await ground.open();
      try {
        await target.prepare();
        const point = await ground.point({ bytes: 12_000_000 });
        await expectTrouble(target.put(point), 'full');
        expect((await target.list()).filter(({ complete }) => complete)).toEqual([]);
        disk.change('size=64m');
        expectWhole(await target.put(point), point);
      } finally {
        await target.close();
        await ground.close();
        disk.remove();
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );
}

function expectWhole(findings: readonly Finding[], point: LocalPoint, { withManifest = true } = {}): void {
  const names = point.members.map(({ name }) => `offsite.member ${name}`);
  expect(failed(findings)).toEqual([]);
  expect(findings.map(({ check }) => check).sort()).toEqual(
    [...names, ...(withManifest ? ['offsite.manifest'] : [])].sort(),
  );
}

function failed(findings: readonly Finding[]): string[] {
  return findings.filter(({ ok }) => !ok).map(({ check }) => check);
}

async function expectTrouble(work: Promise<unknown>, kind: TroubleKind): Promise<void> {
  await expect(work).rejects.toMatchObject({ name: 'OffsiteTrouble', kind });
}
