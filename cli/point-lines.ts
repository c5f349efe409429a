import type { RecoveryPointDetail } from '../domain/backup/point-schemas.ts';
import { megabytes } from './sizes.ts';

/** A recovery point for people: what it is, what it was proved by, what it holds. */
export function pointLines(point: RecoveryPointDetail): string[] {
  const { stamp, place, taken_at, damage, proved, pin } = point;
  const passed = Object.entries(proved).sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    `${stamp} of ${point.box}: ${place}${point.standing === 'damaged' ? ', damaged' : ''}`,
    `  taken       ${taken_at}`,
    ...passed.map(([level, at]) => `  proved      ${level} at ${at}`),
    ...(damage === null ? [] : [`  damage      ${damage.level} at ${damage.at}: ${damage.reason}`]),
    ...(pin === null ? [] : [`  pinned      ${pin.reason}${pin.actor === null ? '' : ` (${pin.actor})`}`]),
    `  size        ${megabytes(point.plain_bytes)} MB, stored as ${megabytes(point.stored_bytes)} MB${point.encrypted ? ', encrypted' : ''}`,
    `  versions    ${Object.entries(point.versions)
      .map(([part, version]) => `${part} ${version ?? '-'}`)
      .join(', ')}`,
    ...point.databases.map(({ role, tables, rows }) => `  database    ${role}: ${tables} tables, ${rows} rows`),
    ...point.collections.map(
      ({ name, points, why }) => `  collection  ${name}: ${points} points${why === null ? '' : `, rebuilt: ${why}`}`,
    ),
    ...point.file_sets.map(
      ({ name, files, bytes, root }) => `  files       ${name}: ${files} files, ${megabytes(bytes)} MB of ${root}`,
    ),
    ...point.generations.map(({ project, visible }) => `  project     ${project} at generation ${visible}`),
  ];
}
