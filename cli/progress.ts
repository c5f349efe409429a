import type { BackupProgress } from '../domain/backup/schemas.ts';
import type { Output } from './output.ts';
import { createRate } from './rate.ts';
import { megabytes } from './sizes.ts';

/** A line each time that something long is further: how much of what, how fast, and how long the rest takes at that pace. */
export function createProgressTeller({ message }: Pick<Output, 'message'>): (progress: BackupProgress | null) => void {
  let rate = createRate();
  let step = '';
  let told = '';
  return (progress) => {
    if (progress === null) return;
    const { done_bytes: done, total_bytes: total } = progress;
    const now = JSON.stringify(progress);
    if (now === told) return;
    told = now;
    if (progress.step !== step) rate = createRate();
    step = progress.step;
    const { perSecond, secondsLeft } = rate(Date.now(), { done, items: total ?? done });
    const pace = perSecond === null ? '' : `, ${megabytes(perSecond)} MB a second`;
    const left = total === null || secondsLeft === null ? '' : `, ${Math.ceil(secondsLeft)} s left`;
    const whole = total === null ? ' MB' : ` of ${megabytes(total)} MB ${bar(done / Math.max(total, 1))}`;
    message(`    ${step}: ${megabytes(done)}${whole}${pace}${left}`);
  };
}

function bar(share: number): string {
  const width = 20;
  const full = Math.min(width, Math.max(0, Math.round(share * width)));
  return `[${'#'.repeat(full)}${'.'.repeat(width - full)}]`;
}
