import { ApplicationFailure, defineSignal, defineUpdate, setHandler, uuid4 } from '@temporalio/workflow';
import type { HeardOverride } from '../activities/overrides.ts';
import {
  inForce,
  judgeOverride,
  noOverrides,
  withOverride,
  type OverrideJudgement,
  type OverrideMessage,
  type RunNow,
} from '../domain/deploy/override.ts';
import { overrideSignal, overrideUpdate, type DeployInput } from '../domain/deploy/run.ts';
import { overrideRows } from './proxies.ts';

const signalled = defineSignal<[unknown]>(overrideSignal);
const asked = defineUpdate<OverrideJudgement, [unknown]>(overrideUpdate);

export type RunOverrides = ReturnType<typeof listenForOverrides>;

/**
 * Row D9: what people say to a run, by signal (Temporal's UI and CLI) or by Update (the API), with one decision behind both.
 * What is refused is recorded too, and never thrown.
 */
export function listenForOverrides(deploy_id: string, now: () => Omit<RunNow, 'now_ms'>) {
  let standing = noOverrides;
  let onAbort: () => void = () => undefined;

  async function take({ id, message }: HeardOverride): Promise<OverrideJudgement> {
    const judgement = judge(message, { ...now(), now_ms: Date.now() });
    if (judgement.accepted && message !== null) {
      standing = withOverride(standing, message);
      if (standing.abort) onAbort();
    }
    const refusal = judgement.accepted ? null : judgement.refusal;
    await overrideRows.answerOverride(id, { accepted: judgement.accepted, refusal });
    return judgement;
  }

  async function hear(said: unknown): Promise<OverrideJudgement> {
    return take(await overrideRows.hearOverride(deploy_id, said, uuid4()));
  }

  setHandler(signalled, async (said) => {
    await hear(said);
  });
  setHandler(asked, hear, { validator: refuseMalformed });

  return {
    /** What counts at this moment. */
    now: () => inForce(standing, Date.now()),

    /** Called once when somebody aborts the run; at once if somebody has. */
    whenAborted(call: () => void): void {
      onAbort = call;
      if (standing.abort) call();
    },

    /** What the request of the deploy said; it was judged as part of the request. */
    async begin(input: DeployInput): Promise<void> {
      const { policy_override: said } = input.request;
      if (said === undefined) return;
      const { action, target, expires_at } = said;
      // In a request nobody forces anything: that needs an admin, and a run that can be looked at.
      const message = { action, expires_at, force: false, ...(target === undefined ? {} : { target }) };
      standing = withOverride(standing, message);
      await overrideRows.recordRequested(input);
    },

    /** What was written down while Temporal could not be reached. */
    async catchUp(): Promise<void> {
      for (const unheard of await overrideRows.unheardOverrides(deploy_id)) await take(unheard);
    },
  };
}

function judge(message: OverrideMessage | null, run: RunNow): OverrideJudgement {
  return message === null ? { accepted: false, refusal: 'override_malformed' } : judgeOverride(message, run);
}

/** Only what no row could be made of is turned away before it is recorded. */
function refuseMalformed(said: unknown): void {
  if (typeof said === 'object' && said !== null && !Array.isArray(said)) return;
  throw ApplicationFailure.nonRetryable('An override is an object: action, reason, expires_at', 'OverrideRefused');
}
