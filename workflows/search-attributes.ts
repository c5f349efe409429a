import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';

export const kindKey = defineSearchAttributeKey('HoldfastKind', SearchAttributeType.KEYWORD);
export const subjectKey = defineSearchAttributeKey('HoldfastSubject', SearchAttributeType.KEYWORD);
export const phaseKey = defineSearchAttributeKey('HoldfastPhase', SearchAttributeType.KEYWORD);
export const outcomeKey = defineSearchAttributeKey('HoldfastOutcome', SearchAttributeType.KEYWORD);
