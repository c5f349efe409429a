// Loaded into a real worker by `node --import`: ends it with SIGKILL at the points that a test names. The product knows
// nothing of it: it adds an interceptor to the SDK's own Worker.
import { Worker } from '@temporalio/worker';
import { appendFileSync, readFileSync, existsSync } from 'node:fs';

const planPath = process.env['HOLDFAST_TEST_FAULTS'] ?? '';
const donePath = `${planPath}.done`;
const seenPath = `${planPath}.seen`;
const attemptsPath = `${planPath}.attempts`;

/** @typedef {{ activity: string, nth: number, when: 'before' | 'during' | 'after' }} Fault */

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

/** @param {string} activity @param {number} nth @param {Fault['when']} when */
function isDue(activity, nth, when) {
  const due = plan().some((fault) => fault.activity === activity && fault.nth === nth && fault.when === when);
  const done = lines(donePath)
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
  return due && !done.some((fault) => fault.activity === `${activity}#${nth}` && fault.when === when);
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
        if (isDue(activityType, nth, 'before')) die(name, 'before');
        const isMidway = isDue(activityType, nth, 'during');
        // A moment into the work, which is shorter where it is only a row.
        if (isMidway) setTimeout(() => die(name, 'during'), taskQueue.startsWith('box-') ? 40 : 2);
        const result = await next(input);
        // Work that was over by then is not heard of either, or the death would be that of the next one.
        if (isMidway) await new Promise(() => undefined);
        if (isDue(activityType, nth, 'after')) die(name, 'after');
        return result;
      },
    },
  });
  const activity = [...(options.interceptors?.activity ?? []), killer];
  return create({ ...options, interceptors: { ...options.interceptors, activity } });
};
