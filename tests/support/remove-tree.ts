import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';

/** Also what holds releases: their folders are read-only, which only root may ignore. */
export function removeTree(path: string): void {
  execFileSync('chmod', ['-R', 'u+w', path]);
  rmSync(path, { recursive: true, force: true });
}
