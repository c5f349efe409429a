import { serviceSpecSchema } from '../../domain/service.ts';
import {
  answer,
  randomFrom,
  refusal,
  unready,
  watchUntilVerdict,
  withBlip,
  withLoss,
  withStall,
  type Probed,
} from './simulated-service.ts';

const {
  watch: rules,
  probes: { timeout_ms },
} = serviceSpecSchema.parse({ source: { git: '/srv/app' }, run: { argv: ['x'] } });
const N = 20000;
const hung = { reason: 'http_error', took_ms: timeout_ms };

test('x', () => {
  const random = randomFrom(42);
  const out: Record<string, unknown> = {};
  for (const horizon of [30_000, 60_000, 90_000, 180_000]) {
    let bad = 0;
    const ends: number[] = [];
    const reasons: Record<string, number> = {};
    for (let i = 0; i < N; i++) {
      const up = 500 + random() * 19_500;
      let s: Probed = (at) => (at < up ? refusal : answer);
      s = withBlip(s, random() * horizon, 20_000, random() < 0.5 ? unready : hung);
      s = withStall(s, random() * horizon, 5_000, timeout_ms);
      s = withLoss(s, { random, timeout_ms, lossShare: 0.01 });
      let r = watchUntilVerdict(s, { rules, begin_ms: 0, cameUp: false, random });
      if (r.verdict.verdict === 'good')
        r = watchUntilVerdict(s, { rules, begin_ms: r.end_ms + 200, cameUp: true, random });
      ends.push(r.end_ms);
      if (r.verdict.verdict !== 'good') {
        bad++;
        reasons[JSON.stringify(r.verdict)] = (reasons[JSON.stringify(r.verdict)] ?? 0) + 1;
      }
    }
    ends.sort((a, b) => a - b);
    out['healthy ' + horizon] = { bad, p50: ends[N / 2], p99: ends[N * 0.99], max: ends[N - 1], reasons };
  }
  for (const fail of [refusal, unready, hung])
    for (const kind of ['random', 'third', 'phases']) {
      let missed = 0;
      const ends: number[] = [];
      const reasons: Record<string, number> = {};
      for (let i = 0; i < N; i++) {
        const up = random() * 10_000;
        let n = Math.floor(random() * 3);
        const off = random() * 15_000;
        const flap: Probed =
          kind === 'random'
            ? () => (random() < 1 / 3 ? fail : answer)
            : kind === 'third'
              ? () => (n++ % 3 === 0 ? fail : answer)
              : (at) => ((at + off) % 15_000 < 5_000 ? fail : answer);
        let s: Probed = (at) => (at < up ? refusal : flap(at));
        s = withLoss(s, { random, timeout_ms, lossShare: 0.01 });
        const r = watchUntilVerdict(s, { rules, begin_ms: 0, cameUp: false, random });
        ends.push(r.end_ms);
        if (r.verdict.verdict === 'good') missed++;
        else {
          const w = r.verdict.verdict + (r.verdict as any).reason;
          reasons[w] = (reasons[w] ?? 0) + 1;
        }
      }
      ends.sort((a, b) => a - b);
      out[kind + ' ' + fail.reason + fail.took_ms] = {
        missed,
        p50: ends[N / 2],
        p99: ends[N * 0.99],
        max: ends[N - 1],
        reasons,
      };
    }
  console.info(JSON.stringify(out, null, 1));
});
