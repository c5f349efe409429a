import { WorkflowNotFoundError, WorkflowUpdateRPCTimeoutOrCancelledError } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import type { DeployStore, StoredDeploy } from '../../adapters/postgres/deploys.ts';
import type { OverrideStore, StoredOverride } from '../../adapters/postgres/overrides.ts';
import type { DeployRuns } from '../../adapters/temporal/deploys.ts';
import { idOfRequest } from '../../domain/request-id.ts';
import type { OverrideRefusal } from '../../domain/deploy/override.ts';
import type { Override, OverrideRequest } from '../../domain/deploy/override-schemas.ts';
import { ApiProblem, unavailable } from '../problem.ts';
import type { Route } from '../route.ts';

export interface OverrideRouteDeps {
  readonly deploys: DeployStore;
  readonly overrides: OverrideStore;
  readonly override: DeployRuns['override'];
}

/** What an operator can do about a refusal. */
const advice: Readonly<Record<OverrideRefusal, string>> = {
  override_malformed: 'It could not be understood.',
  override_role_too_weak: 'It needs the role operator.',
  override_force_needs_admin: 'force needs the role admin.',
  override_expired: 'Its expires_at is in the past.',
  override_too_late: 'The run is past the step that this could change.',
  override_target_same_as_deployed: 'The target is what was deployed: there is nothing to go back to.',
};

const notHeardYet =
  'The run has not answered yet. What was said is written down, and counts once a worker hears of it.';

/** Row D9. The row first, then the run: what a person submitted is never lost, and stays when it was refused. */
export function overrideRoutes(route: Route, { deploys, overrides, override }: OverrideRouteDeps): void {
  route('deploy_override', async ({ params: { id }, body, caller, key }) => {
    const deploy = await deploys.find(id);
    if (deploy === null) throw new ApiProblem('not_found', `There is no deploy ${id}.`);
    const override_id = key === null ? randomUUID() : idOfRequest(caller.id, `override ${key}`);
    const { actor, role } = caller;
    await overrides.submit({ ...rowOf(body), id: override_id, deploy_id: id, actor, role });
    const said = await tell(deploy, { ...body, override_id, actor, role });
    if (said !== null) await overrides.answer(override_id, said);
    const row = await overrides.find(override_id);
    if (row === null) throw new Error(`override ${override_id} was submitted and is not there`);
    if (row.refusal !== null) {
      const next = `holdfast deploys show ${id}`;
      throw new ApiProblem('conflict', `${row.refusal}: ${advice[row.refusal]}`, { next });
    }
    return { status: 200, body: showOverride(row) };
  });

  /** null: the run has written its answer itself. */
  async function tell(
    deploy: StoredDeploy,
    message: Parameters<DeployRuns['override']>[1],
  ): Promise<{ accepted: false; refusal: OverrideRefusal } | null> {
    const { workflow_id, run_id, closed_at } = deploy;
    const late = { accepted: false, refusal: 'override_too_late' } as const;
    if (closed_at !== null || run_id === null) return late;
    try {
      await override({ workflow_id, run_id }, message);
      return null;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return late;
      if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) throw unavailable(notHeardYet);
      throw error;
    }
  }
}

function rowOf({ action, target, extend_ms, force, reason, expires_at }: OverrideRequest) {
  return { action, force, reason, expires_at, target: target ?? null, extend_ms: extend_ms ?? null };
}

export function showOverride({ expires_at, at, ...row }: StoredOverride): Override {
  return { ...row, expires_at: expires_at?.toISOString() ?? null, at: at.toISOString() };
}
