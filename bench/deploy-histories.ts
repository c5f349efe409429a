import { defaultPayloadConverter } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
