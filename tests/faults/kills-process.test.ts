import { webProcess } from '../support/deploy-bench.ts';
import { provesKills } from './kill-points.ts';

provesKills('process', webProcess({ build: [{ argv: ['sleep', '0.3'], timeout_ms: 10_000 }] }), 2);
