import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pickPoint } from '../../../adapters/drill/bring-point.ts';
import type { DrillDeps, NamedTarget } from '../../../adapters/drill/place.ts';
import { drillRequestSchema } from '../../../domain/drill/schemas.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-pick-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const offsite = drillRequestSchema.parse({ from: 'offsite' });
const never = new AbortController().signal;
const awayAt = (name: string): NamedTarget => ({
  ...{ name, id: randomUUID(), spec: { kind: 'directory', path: join(root, 'not mounted', name) } },
});
const pickFrom = (...targets: NamedTarget[]) =>
  pickPoint({ root, env: {}, targets: async () => targets } as unknown as DrillDeps, offsite, never);

test('B9 a drill from other places that are all away is no refusal: it has failed, and says which do not answer', async () => {
  await expect(pickFrom(awayAt('nas'))).rejects.toMatchObject({
    name: expect.not.stringMatching('PointUnknown') as string,
  });
  await expect(pickFrom(awayAt('nas'), awayAt('attic'))).rejects.toThrow(/do not answer: (nas|attic): .*(nas|attic)/);
  await expect(pickFrom()).rejects.toMatchObject({ name: 'PointUnknown' });
});
