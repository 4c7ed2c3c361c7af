# SPDX-License-Identifier: MIT
#
# lwip.m4 - where the source of lwIP is

# SLUICE_LWIP
# -----------
# lwIP is built from source, with our own lwipopts.h; it is not part of this
# package.  Sets LWIP_DIR (absolute) and LWIP_VERSION.
AC_DEFUN([SLUICE_LWIP], [
AC_ARG_WITH([lwip],
  [AS_HELP_STRING([--with-lwip=DIR],
    [source tree of lwIP 2.1.3 to 2.2.x @<:@SRCDIR/.lwip, as ./bootstrap makes it@:>@])],
  [], [with_lwip=$srcdir/.lwip])
AC_MSG_CHECKING([for the source of lwIP])
AS_IF([test ! -f "$with_lwip/src/core/tcp.c"], [
  AC_MSG_RESULT([not in $with_lwip])
  AC_MSG_ERROR([no lwIP source: run ./bootstrap lwip, or use --with-lwip=DIR])
])
LWIP_DIR=`cd "$with_lwip" && pwd`
LWIP_VERSION=`$AWK '/^#define LWIP_VERSION_(MAJOR|MINOR|REVISION) / {
  sub("\r", "")
  printf "%s%s", dot, @S|@3; dot = "." }' "$LWIP_DIR/src/include/lwip/init.h"`
AC_MSG_RESULT([$LWIP_VERSION])
AS_CASE([$LWIP_VERSION],
  [2.1.3|2.2.*], [],
  [AC_MSG_WARN([lwIP $LWIP_VERSION was never tried; 2.1.3 to 2.2.x were])])
AC_SUBST([LWIP_DIR])
])
