// Colours of norms: all channels, those that stand out, and what CS makes of these.
export const BEFORE = "#4a90d9";
export const MARK = "#e0633a";
export const AFTER = "#1f9d83";
