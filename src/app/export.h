/*
 * export.h - hakika export: a day's rows as files.
 */
#ifndef HAKIKA_APP_EXPORT_H
#define HAKIKA_APP_EXPORT_H

/* hakika export DIR --day YYYY-MM-DD ...; returns the exit status. */
int export_command(int argc, char **argv);

#endif
