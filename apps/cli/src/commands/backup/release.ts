import type { Run } from '../../command.ts';
import { changeHold } from './hold.ts';

export const run: Run = async (context) => changeHold(context, false);
