/** The start page. Its miniatures are the pages themselves. */
import { keepOffline } from "./offline.ts"

keepOffline()
