import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OffsiteTarget } from '../../../adapters/offsite/target.ts';
import type { OffsiteGround } from './ground.ts';

/** Rows B4 and B5: how a copy goes, at every kind of target. */
export function removalContract(on: () => { readonly ground: OffsiteGround; readonly target: OffsiteTarget }): void {
  const filesOf = (stamp: string): string[] => {
    const folder = join(on().ground.files, stamp);
    if (!existsSync(folder)) return [];
    return readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((each) =>
      each.isFile() ? [each.name] : [],
    );
  };

  test('B4 a removal that ended in the middle left no point, and the next one takes the rest', async () => {
    const { ground, target } = on();
    const point = await ground.point();
    await target.put(point);
    // As far as one came that was killed behind the manifest and the first member.
    await target.remove({ stamp: point.stamp, members: point.members.slice(0, 1) });
    expect(filesOf(point.stamp).sort()).toEqual(
      point.members
        .slice(1)
        .map(({ name }) => name)
        .sort(),
    );
    expect((await target.list()).filter(({ stamp, complete }) => stamp === point.stamp && complete)).toEqual([]);
    await expect(target.get(point.stamp, join(ground.path, 'half-removed'))).rejects.toMatchObject({ kind: 'gone' });

    await target.remove(point);
    expect(filesOf(point.stamp)).toEqual([]);
    expect((await target.list()).map(({ stamp }) => stamp)).not.toContain(point.stamp);
    await target.remove(point);
  });

  test('B4 what somebody else put there stays: beside the points, in the folder of one, and points of another box', async () => {
    const { ground, target } = on();
    const [point, foreign] = [await ground.point(), await ground.point({ box: 'another' })];
    await target.put(foreign);
    await target.put(point);
    mkdirSync(join(ground.files, 'photos'), { recursive: true });
    const [beside, within] = [
      join(ground.files, 'photos/cat.jpg'),
      join(ground.files, point.stamp, 'members/notes.txt'),
    ];
    for (const path of [beside, within]) writeFileSync(path, 'mine');

    await target.remove(point);
    expect(filesOf(point.stamp)).toEqual(['notes.txt']);
    for (const path of [beside, within]) expect(readFileSync(path, 'utf8')).toBe('mine');
    expect((await target.readBack(foreign)).filter(({ ok }) => !ok)).toEqual([]);
    await expect(target.marker()).resolves.toBe(ground.id);
  });

  test('B4 nothing is removed at a place that is not this target', async () => {
    const { ground, target } = on();
    const point = await ground.point();
    await target.put(point);
    const other = await ground.open({ id: crypto.randomUUID() });
    await expect(other.remove(point)).rejects.toMatchObject({ kind: 'refused' });
    await other.close();
    expect((await target.readBack(point)).filter(({ ok }) => !ok)).toEqual([]);
  });
}
