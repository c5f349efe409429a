import type { DeployInput, NewEvidence } from '../../domain/deploy/run.ts';
import type { DeployResult } from '../../domain/deploy/schemas.ts';
import type { DeployKind, Phase } from '../../domain/deploy/words.ts';
import type { ServiceSpec } from '../../domain/service.ts';
import type { Sql } from './connect.ts';
import { createEvidenceStore, type StoredCheck } from './evidence.ts';
import { createOverrideStore, type StoredOverride } from './overrides.ts';
import { readSpec } from './services.ts';

export interface StoredDeploy {
  readonly id: string;
  readonly service: string;
  readonly kind: DeployKind;
  readonly actor: string;
  readonly phase: Phase;
  readonly result: DeployResult;
  readonly workflow_id: string;
  readonly run_id: string | null;
  readonly requested_at: Date;
  readonly closed_at: Date | null;
  readonly evidence: readonly StoredCheck<Phase>[];
  /** What people said to the run, oldest first. */
  readonly overrides: readonly StoredOverride[];
}

type DeployRow = Omit<StoredDeploy, 'evidence' | 'overrides'>;

export type DeployStore = ReturnType<typeof createDeployStore>;

/** Deploys and their evidence. Every write may be repeated by a retried activity and then changes nothing. */
export function createDeployStore(sql: Sql) {
  return {
    /** By whoever comes first: the API that started the run, or the run itself. A row that is there keeps what it has. */
    async open(
      input: DeployInput,
      run: { workflow_id: string; run_id: string | null },
      result: DeployResult,
      spec: ServiceSpec,
    ): Promise<void> {
      await sql`
        insert into deploys (id, service, kind, actor, request, result, workflow_id, run_id, spec)
        values (${input.deploy_id}, ${input.service}, ${input.request.kind}, ${input.actor},
          ${sql.json(input.request)}, ${sql.json(result)}, ${run.workflow_id}, ${run.run_id}, ${sql.json(spec)})
        on conflict (id) do update set run_id = coalesce(excluded.run_id, deploys.run_id),
          spec = coalesce(deploys.spec, excluded.spec)`;
    },

    /** The specification that this deploy works with, whatever is registered meanwhile. It may hold secrets. */
    async specOf(id: string): Promise<(ServiceSpec & { readonly box: string }) | null> {
      const [row] = await sql<{ spec: unknown }[]>`select spec from deploys where id = ${id}`;
      return row?.spec == null ? null : readSpec(row.spec);
    },

    async update(id: string, phase: Phase, result: DeployResult): Promise<void> {
      await sql`
        update deploys set phase = ${phase}, result = ${sql.json(result)},
          closed_at = case when ${phase} = 'closed' then coalesce(closed_at, now()) end
        where id = ${id}`;
    },

    addEvidence: (id: string, evidence: NewEvidence): Promise<void> =>
      createEvidenceStore<Phase>(sql).add(id, evidence),

    async find(id: string): Promise<StoredDeploy | null> {
      const [row] = await sql<DeployRow[]>`select ${columns(sql)} from deploys where id = ${id}`;
      if (row === undefined) return null;
      const evidence = await createEvidenceStore<Phase>(sql).list(id);
      return { ...row, evidence, overrides: await createOverrideStore(sql).list(id) };
    },

    /** Newest first, without evidence and overrides. `before`: the id of the last one of the page before. */
    list: ({ service, before, limit }: { service: string; before?: string; limit: number }): Promise<StoredDeploy[]> =>
      sql<DeployRow[]>`
        select ${columns(sql)} from deploys where service = ${service}
        ${
          before === undefined
            ? sql``
            : sql`and (requested_at, id) < (select requested_at, id from deploys where id = ${before})`
        }
        order by requested_at desc, id desc limit ${limit}`.then((rows) =>
        rows.map((row) => ({ ...row, evidence: [], overrides: [] })),
      ),
  };
}

function columns(sql: Sql) {
  // What results of 0.1.0 do not have yet.
  const result = sql`${sql.json({ release_metadata_skipped: [], cut_over: null })} || result as result`;
  return sql`id, service, kind, actor, phase, ${result}, workflow_id, run_id, requested_at, closed_at`;
}
