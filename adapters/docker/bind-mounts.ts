import { lstat, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { IdentityCheck } from '../../domain/deploy/instance.ts';

interface Bind {
  readonly source: string;
  readonly target: string;
}

/**
 * A mount holds what was there when the container started. A file that was replaced since then, as editors do, is another
 * file: the service goes on reading the old one until it is started again (moby#15793).
 */
export async function staleBinds(binds: readonly Bind[], pid: number): Promise<Pick<IdentityCheck, 'ok' | 'reason'>> {
  const found = pid === 0 ? [] : await Promise.all(binds.map((bind) => staleness(bind, pid)));
  const stale = found.filter(({ ok }) => !ok);
  const reasons = [...new Set((stale.length > 0 ? stale : found).map(({ reason }) => reason))];
  return { ok: stale.length === 0, reason: reasons.length === 0 ? 'same' : reasons.join('; ') };
}

async function staleness({ source, target }: Bind, pid: number) {
  const onBox = await stat(source, { bigint: true }).catch((error: unknown) => codeOf(error));
  if (onBox === 'ENOENT') return { ok: false, reason: `${source} is gone; the service still sees it` };
  const root = `/proc/${pid}/root`;
  const inside = (await crossesLink(root, target))
    ? null
    : await stat(join(root, target), { bigint: true }).catch(() => null);
  // Not root, or Docker is on another machine: nothing is known against it.
  if (typeof onBox !== 'object' || inside === null) return { ok: true, reason: `${target} cannot be read` };
  if (onBox.dev === inside.dev && onBox.ino === inside.ino) return { ok: true, reason: 'same' };
  return { ok: false, reason: `${source} was replaced after the start: the service sees the old one at ${target}` };
}

/** A link would be followed in our own files, not in the container's. */
async function crossesLink(root: string, target: string): Promise<boolean> {
  let at = root;
  for (const part of target.split('/').filter((each) => each !== '')) {
    at = join(at, part);
    if ((await lstat(at).catch(() => null))?.isSymbolicLink() === true) return true;
  }
  return false;
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
