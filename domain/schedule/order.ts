import { backupWorkflowId, pruneWorkflowId } from '../backup/run.ts';
import type { Schedule, ScheduleAction } from './schedules.ts';

/** A run that is due. */
export interface ScheduledOrder extends Pick<Schedule, 'name' | 'box' | 'request'> {
  readonly action: ScheduleAction;
}

export interface ScheduledChild {
  readonly type: string;
  readonly workflowId: string;
  readonly subject: string;
  readonly input: object;
}

/** What a schedule starts, as a person would. `id`: of its record. */
export function childOf({ action, box, request }: ScheduledOrder, id: string): ScheduledChild {
  const asked = { box, actor: 'schedule', trigger: 'schedule', request };
  switch (action) {
    case 'backup':
      return {
        ...{ type: 'backup', workflowId: backupWorkflowId, subject: 'backup' },
        input: { backup_id: id, ...asked },
      };
    case 'prune':
      return {
        ...{ type: 'prune', workflowId: pruneWorkflowId, subject: 'backup' },
        input: { backup_id: id, ...asked },
      };
    case 'drill':
      return { type: 'drill', workflowId: 'drill', subject: 'drill', input: { drill_id: id, ...asked } };
  }
}

/** Ends that somebody has to look at. A retention that is blocked takes nothing away, and has an alarm of its own. */
const failures: Readonly<Record<ScheduleAction, readonly string[]>> = {
  backup: ['failed', 'refused'],
  prune: ['failed'],
  drill: ['failed', 'damage_missed'],
};

export function isFailure(action: ScheduleAction, outcome: string): boolean {
  return failures[action].includes(outcome);
}
