// What no word has: its index among the labels of a mask, its name and its colour.

export const REST_INDEX = -1;
export const REST = "background";
export const REST_COLOUR = "#8a8a8a"; // where it is not hatched
