/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells the service manager how it stands: the datagrams that sd_notify(3) describes, written
 * by hand, since one small message is no reason to link a library. Main thread.
 */
#ifndef CLI_NOTIFY_H
#define CLI_NOTIFY_H

/* Each does nothing where $NOTIFY_SOCKET is not set. */
void notify_ready(void);
void notify_reloading(void); /* notify_ready() ends it */
void notify_stopping(void);

#endif
