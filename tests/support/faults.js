// Loaded into a real worker by `node --import`: ends it with SIGKILL at the points that a test names. The product knows
// nothing of it: it adds an interceptor to the SDK's own Worker.
import { Worker } from '@temporalio/worker';
import { appendFileSync, readFileSync, existsSync } from 'node:fs';

const planPath = process.env['HOLDFAST_TEST_FAULTS'] ?? '';
const donePath = `${planPath}.done`;
const seenPath = `${planPath}.seen`;
const attemptsPath = `${planPath}.attempts`;

/** @typedef {{ activity: string, nth: number, when: 'before' | 'during' | 'after', ms?: number }} Fault */

/** @returns {Fault[]} */
const plan = () => JSON.parse(readFileSync(planPath, 'utf8'));
const lines = (/** @type {string} */ path) => (existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []);

/** @param {string} activity @param {Fault['when']} when */
function die(activity, when) {
  appendFileSync(donePath, `${JSON.stringify({ activity, when, at: Date.now() })}\n`);
  process.kill(process.pid, 'SIGKILL');
}

/**
 * Which call of this activity it is in its run; a retry is the same call.
 * @param {string} activity @param {string} run @param {string} id
 */
function callNumber(activity, run, id) {
  const mine = `${run} ${activity} ${id}`;
  if (!lines(seenPath).includes(mine)) appendFileSync(seenPath, `${mine}\n`);
  const calls = lines(seenPath).filter((line) => line.startsWith(`${run} ${activity} `));
  return calls.indexOf(mine) + 1;
}

/** @param {string} activity @param {number} nth @param {Fault['when']} when @returns {Fault | undefined} */
function dueFault(activity, nth, when) {
  const due = plan().find((fault) => fault.activity === activity && fault.nth === nth && fault.when === when);
  const done = lines(donePath)
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
  const isDone = done.some((fault) => fault.activity === `${activity}#${nth}` && fault.when === when);
  return isDone ? undefined : due;
}

const create = Worker.create.bind(Worker);
Worker.create = (options) => {
  const killer = (/** @type {import('@temporalio/activity').Context} */ context) => ({
    inbound: {
      /** @param {import('@temporalio/worker').ActivityExecuteInput} input @param {(input: any) => Promise<unknown>} next */
      async execute(input, next) {
        const { activityType, activityId, workflowExecution, taskQueue } = context.info;
        const nth = callNumber(activityType, workflowExecution?.runId ?? '', activityId);
        appendFileSync(attemptsPath, `${Date.now()}\n`);
        const name = `${activityType}#${nth}`;
        if (dueFault(activityType, nth, 'before') !== undefined) die(name, 'before');
        const midway = dueFault(activityType, nth, 'during');
        // A moment into the work, which is shorter where it is only a row.
        const usualMs = taskQueue.startsWith('box-') ? 40 : 2;
        if (midway !== undefined) setTimeout(() => die(name, 'during'), midway.ms ?? usualMs);
        const result = await next(input);
        // Work that was over by then is not heard of either, or the death would be that of the next one.
        if (midway !== undefined) await new Promise(() => undefined);
        if (dueFault(activityType, nth, 'after') !== undefined) die(name, 'after');
        return result;
      },
    },
  });
  const activity = [...(options.interceptors?.activity ?? []), killer];
  return create({ ...options, interceptors: { ...options.interceptors, activity } });
};
