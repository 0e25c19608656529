// For the type checker: the client is used as its documentation says.
export const Client: any;
