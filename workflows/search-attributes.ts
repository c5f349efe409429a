import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';

export const phaseKey = defineSearchAttributeKey('HoldfastPhase', SearchAttributeType.KEYWORD);
export const outcomeKey = defineSearchAttributeKey('HoldfastOutcome', SearchAttributeType.KEYWORD);
