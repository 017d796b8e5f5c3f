/** The key of the server that wants tokens. */
export const SECRET = "a secret of more than thirty-two bytes, for every dialect"
