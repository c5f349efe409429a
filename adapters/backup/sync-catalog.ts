import { catalogDifference } from '../../domain/backup/catalog.ts';
import { isPermanentFailure } from '../../domain/failures.ts';
import type { RecoveryPointStore } from '../postgres/recovery-points.ts';
import type { PointMaker } from './point-maker.ts';
import type { Points } from './points.ts';

export interface CatalogDeps {
  readonly recoveryPoints: Pick<RecoveryPointStore, 'list' | 'record' | 'moved'>;
  readonly points: Pick<Points, 'list' | 'isPublished'>;
  readonly maker: Pick<PointMaker, 'manifest'>;
  readonly box: string;
}

const mostPoints = 10_000;

/**
 * Row B4: the catalog is made again from the manifests, at any time. What is on the disk and in no row is recorded; what a row says and
 * the disk has not is missing. `suspect`: why nothing may be decided by it; null: it may.
 */
export async function syncCatalog(deps: CatalogDeps): Promise<{ readonly suspect: string | null }> {
  const { recoveryPoints, points, maker, box } = deps;
  const there = await points.list();
  const rows = await recoveryPoints.list({ places: ['kept', 'missing'], box, limit: mostPoints });
  const { record, missing, suspect } = catalogDifference(there, rows);
  const refused: string[] = [];
  for (const stamp of record) {
    try {
      await recoveryPoints.record(await maker.manifest(stamp), box);
    } catch (error) {
      if (!isPermanentFailure(error)) throw error;
      refused.push(stamp);
    }
  }
  for (const stamp of missing) {
    // Published and recorded since the folder was listed.
    if (!(await points.isPublished(stamp))) await recoveryPoints.moved(stamp, 'missing', box);
  }
  return { suspect: refused.length > 0 ? `the manifest of ${refused.join(', ')} is refused` : suspect };
}
