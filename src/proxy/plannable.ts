/** Is a statement, by its first word, one that the planner plans? Neither a utility nor anything unknown. */

const PLANNABLE = /^\s*(select|insert|update|delete|merge|with|values)\b/i;

export const isPlannable = (text: Buffer): boolean => PLANNABLE.test(text.toString('latin1', 0, 40));
