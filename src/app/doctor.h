/*
 * doctor.h - hakika doctor: is everything there that a gateway in production needs?
 */
#ifndef HAKIKA_APP_DOCTOR_H
#define HAKIKA_APP_DOCTOR_H

/* Arguments after the command's name. Exit status: 0 all is well, 1 something is wrong, 2 usage. */
int doctor_command(int argc, char **argv);

#endif
