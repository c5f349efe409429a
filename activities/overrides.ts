import type { NewOverride, OverrideAnswer, OverrideStore, StoredOverride } from '../adapters/postgres/overrides.ts';
import type { OverrideMessage } from '../domain/deploy/override.ts';
import type { DeployInput } from '../domain/deploy/run.ts';
import { overrideMessageSchema } from '../domain/deploy/override-schemas.ts';

/** An override as a run hears it; null: it could not be understood. */
export interface HeardOverride {
  readonly id: string;
  readonly message: OverrideMessage | null;
}

/** Row D9: the rows behind what people say to runs. Each may be repeated. */
export function createOverrideActivities(overrides: OverrideStore) {
  return {
    /**
     * What reached a run. With the id of a row it counts as what that row says. Without one it came from Temporal itself,
     * where everybody is an operator and nobody an admin, and gets its row, under `ownId`, here.
     */
    async hearOverride(deploy_id: string, said: unknown, ownId: string): Promise<HeardOverride> {
      const fields = typeof said === 'object' && said !== null ? { ...said } : {};
      const row = 'override_id' in fields ? await overrides.find(String(fields.override_id)).catch(() => null) : null;
      if (row?.deploy_id === deploy_id) return { id: row.id, message: messageOf(row) };
      const parsed = overrideMessageSchema.safeParse({
        actor: 'temporal',
        ...fields,
        ...{ override_id: undefined, role: 'operator' },
      });
      const message = parsed.success ? parsed.data : null;
      await overrides.submit(message === null ? notUnderstood(ownId, deploy_id) : rowOf(ownId, deploy_id, message));
      return { id: ownId, message };
    },

    /** What was submitted and did not reach the run, because Temporal was away at that moment. Oldest first. */
    async unheardOverrides(deploy_id: string): Promise<readonly HeardOverride[]> {
      const rows = (await overrides.list(deploy_id)).filter(({ accepted }) => accepted === null);
      return rows.map((row) => ({ id: row.id, message: messageOf(row) }));
    },

    /** What the request of a deploy said, on the record like any other; the deploy's own id names it. */
    async recordRequested({ deploy_id, actor, request: { policy_override: said } }: DeployInput): Promise<void> {
      if (said === undefined) return;
      const { action, target = null, reason, expires_at } = said;
      const from = { id: deploy_id, deploy_id, actor, role: 'operator', force: false, extend_ms: null };
      await overrides.submit({ ...from, action, target, reason, expires_at });
      await overrides.answer(deploy_id, { accepted: true, refusal: null });
    },

    async answerOverride(id: string, answer: OverrideAnswer): Promise<void> {
      await overrides.answer(id, answer);
    },
  };
}

export type OverrideActivities = ReturnType<typeof createOverrideActivities>;

function messageOf({ id, target, extend_ms, expires_at, ...row }: StoredOverride): OverrideMessage | null {
  const { action, force, reason, actor, role } = row;
  const parsed = overrideMessageSchema.safeParse({
    ...{ action, force, reason, actor, role, override_id: id },
    expires_at: expires_at?.toISOString(),
    ...(target === null ? {} : { target }),
    ...(extend_ms === null ? {} : { extend_ms }),
  });
  return parsed.success ? parsed.data : null;
}

function rowOf(id: string, deploy_id: string, message: OverrideMessage): NewOverride {
  const { action, target, extend_ms, force, reason, actor, role, expires_at } = message;
  return {
    ...{ id, deploy_id, action, force, reason, actor, role, expires_at },
    target: target ?? null,
    extend_ms: extend_ms ?? null,
  };
}

/** What was said is not repeated: it may be anything. */
function notUnderstood(id: string, deploy_id: string): NewOverride {
  return {
    ...{ id, deploy_id, action: 'unknown', target: null, extend_ms: null, force: false },
    ...{ reason: 'could not be understood', actor: 'temporal', role: 'operator', expires_at: null },
  };
}
