import { randomUUID } from 'node:crypto';
import type { Charge, StandActivities, StandOrder, StandReport, WatchActivities } from '../../activities/watch.ts';
import { lookAgainSignal, watchWorkflowId } from '../../domain/deploy/run.ts';
import type { RollbackDecision } from '../../domain/deploy/policy.ts';
import { ownBox, runOnTemporal } from '../support/on-temporal.ts';
import { recordedBox } from '../support/recorded-box.ts';

const exited: StandReport = {
  verdict: { finding: 'exited', failure_class: 'watchdog_failure', reason: 'process_exited:1' },
  dependency_down: false,
  rebooted: false,
};
const unready: StandReport = {
  verdict: { finding: 'unhealthy', failure_class: 'health_failure', reason: 'http_status:503' },
  dependency_down: false,
  rebooted: false,
};
const wellAgain: StandReport = {
  verdict: { finding: 'well', reason: 'http_ok' },
  dependency_down: false,
  rebooted: false,
};
const allowed: RollbackDecision = {
  ...{ status: 'allowed', reason: 'rollback_target_validated', target_valid: true, action: 'roll_back' },
};

const rules: Charge['rules'] = {
  watch: { startup_ms: 500, stable_ms: 500, window_ms: 2_000, period_ms: 100, unhealthy_ms: 300, max_flaps: 3 },
  soak_ms: 1_000,
  restart: { burst: 2, delay_ms: 0, window_ms: 600_000 },
};

/** A service that is looked after: what is seen of it comes from a list, after which it is stopped. */
function lookedAfter(reports: readonly StandReport[], part: Partial<Charge> = {}) {
  const calls: string[] = [];
  const told: string[] = [];
  const stood: StandOrder[] = [];
  let left = [...reports];
  /** Stopped by somebody: nothing is left to look after. */
  let over = false;
  let charge: Charge = {
    ...{ instance: 'i.candidate', release_id: 'b'.repeat(40), epoch: 3, safe_mode: false },
    ...{ deployment_context: 'self_hosted', young: false, soaked_at_ms: null, held_by: null, restarts_ms: [] },
    expected_build_sha: null,
    rules,
    ...part,
  };
  const box = recordedBox({
    setDesired: async (_, epoch, { instance }) => {
      calls.push(`desire:${String(instance)}`);
      charge = {
        ...charge,
        epoch: epoch + 1,
        instance: instance ?? '',
        restarts_ms: [...charge.restarts_ms, Date.now()],
      };
      return epoch + 1;
    },
    appendEvent: async ({ type }) => void told.push(type),
  });
  const rows: WatchActivities = {
    charge: async () => (over ? null : charge),
    rollbackOf: async () => allowed,
    markSoaked: async () => {
      calls.push('soaked');
      charge = { ...charge, soaked_at_ms: null };
    },
    handOver: async (_, { epoch }) => {
      calls.push(`hand over:${epoch}`);
      over = true;
      return 'started';
    },
    placeRestart: async ({ epoch }) => `i.candidate.r${epoch}`,
  };
  const standing: StandActivities = {
    stand: async (order) => {
      stood.push(order);
      const [next, ...rest] = left;
      left = rest;
      if (next === undefined) over = true;
      return next ?? wellAgain;
    },
  };
  return {
    ...{ calls, told, stood, box },
    change: (more: Partial<Charge>) => (charge = { ...charge, ...more }),
    activities: { ...box.activities, ...rows, ...standing },
  };
}

async function watch(
  service: ReturnType<typeof lookedAfter>,
  meanwhile: (signal: () => Promise<void>) => Promise<void> = async () => undefined,
): Promise<void> {
  const id = randomUUID();
  const name = `s-${id.slice(0, 8)}`;
  const input = { service: name, box: ownBox };
  const { activities } = service;
  const workflowId = watchWorkflowId(name);
  await runOnTemporal({ type: 'watchService', workflowId, input, activities }, (handle) =>
    meanwhile(() => handle.signal(lookAgainSignal)),
  );
}

describe('the standing watch', () => {
  test('D6 what died is started again, under a new name and a new epoch', async () => {
    const service = lookedAfter([exited]);
    await watch(service);
    expect(service.calls).toEqual(['desire:i.candidate.r3']);
    expect(service.box.calls).toEqual(['stop', 'start:candidate', 'point:candidate', 'releaseLocks']);
    expect(service.told).toEqual(['error', 'watch.restarted']);
  });

  test('D6 a young release that dies is handed over, with the epoch that was seen', async () => {
    const service = lookedAfter([exited], { young: true });
    await watch(service, async (signal) => {
      while (service.calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      await signal();
    });
    expect(service.calls).toEqual(['hand over:3']);
    expect(service.box.calls).toEqual([]);
  });

  test('D6 bad readiness restarts nothing; it is told once, and so is the recovery', async () => {
    const service = lookedAfter([unready, wellAgain]);
    await watch(service);
    expect(service.calls).toEqual([]);
    expect(service.box.calls).toEqual([]);
    expect(service.told).toEqual(['error', 'watch.recovered']);
    // It was looked at again for something else than what is known.
    expect(service.stood.map(({ known }) => known)).toEqual([null, 'unhealthy', null]);
  });

  test('D6 of what is not ours nothing is touched', async () => {
    const service = lookedAfter([exited], { deployment_context: 'external', young: true });
    await watch(service);
    expect([service.calls, service.box.calls, service.told]).toEqual([[], [], ['error', 'watch.recovered']]);
  });

  test('D10 in safe mode nothing is done automatically', async () => {
    const service = lookedAfter([exited], { safe_mode: true, young: true });
    await watch(service);
    expect([service.calls, service.box.calls, service.told]).toEqual([[], [], ['error', 'watch.recovered']]);
  });

  test('D6 the breaker opens after its burst, and nothing is started until its window has passed', async () => {
    const service = lookedAfter([exited, exited, exited]);
    service.change({ rules: { ...rules, restart: { burst: 2, delay_ms: 0, window_ms: 3_000 } } });
    const began = Date.now();
    await watch(service);
    expect(service.calls.filter((call) => call.startsWith('desire'))).toHaveLength(2);
    expect(service.stood.length).toBeGreaterThanOrEqual(3);
    expect(Date.now() - began).toBeGreaterThanOrEqual(2_900);
  });

  test('D6 while somebody else changes the service nothing is looked at', async () => {
    const service = lookedAfter([wellAgain], { held_by: 'deploy/web' });
    await watch(service, async (signal) => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(service.stood).toEqual([]);
      service.change({ held_by: null });
      await signal();
    });
    expect(service.stood.length).toBeGreaterThan(0);
  });

  test('D2 a release that was good for as long as it must counts as soaked', async () => {
    const service = lookedAfter([wellAgain], { young: true, soaked_at_ms: Date.now() - 1 });
    await watch(service);
    expect(service.calls).toEqual(['soaked']);
  });
});
