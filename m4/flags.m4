# SPDX-License-Identifier: MIT
#
# flags.m4 - warnings, hardening, sanitizers: each flag is tried, and used
# where this compiler and linker take it

# SLUICE_CC_FLAGS(VARIABLE, FLAGS)
# --------------------------------
# Append to VARIABLE each of FLAGS the compiler takes without a warning.
AC_DEFUN([SLUICE_CC_FLAGS], [
for sluice_flag in $2; do
  AS_VAR_PUSHDEF([cached], [sluice_cv_cc_$sluice_flag])
  AC_CACHE_CHECK([whether $CC takes $sluice_flag], [cached], [
    sluice_saved=$CFLAGS
    CFLAGS="$CFLAGS -Werror $sluice_flag"
    AC_COMPILE_IFELSE(
      [AC_LANG_PROGRAM([[#include <string.h>]], [[]])],
      [AS_VAR_SET([cached], [yes])], [AS_VAR_SET([cached], [no])])
    CFLAGS=$sluice_saved
  ])
  AS_VAR_IF([cached], [yes], [AS_VAR_APPEND([$1], [" $sluice_flag"])])
  AS_VAR_POPDEF([cached])
done
])

# SLUICE_LD_FLAGS(VARIABLE, FLAGS)
# --------------------------------
# The same for the linker.
AC_DEFUN([SLUICE_LD_FLAGS], [
for sluice_flag in $2; do
  AS_VAR_PUSHDEF([cached], [sluice_cv_ld_$sluice_flag])
  AC_CACHE_CHECK([whether the linker takes $sluice_flag], [cached], [
    sluice_saved=$LDFLAGS
    LDFLAGS="$LDFLAGS -Werror $sluice_flag"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[]], [[]])],
      [AS_VAR_SET([cached], [yes])], [AS_VAR_SET([cached], [no])])
    LDFLAGS=$sluice_saved
  ])
  AS_VAR_IF([cached], [yes], [AS_VAR_APPEND([$1], [" $sluice_flag"])])
  AS_VAR_POPDEF([cached])
done
])

# SLUICE_FLAGS
# ------------
# BASE_CFLAGS     the language, and what the code relies on
# WARN_CFLAGS     our own code; lwIP's is built without
# HARD_CFLAGS     hardening, or the sanitizers
# HARD_LDFLAGS    the same, for programs and modules
# PROGRAM_LDFLAGS for programs only
# MODULE_LDFLAGS  for modules only
# COLD_CFLAGS     for files that no packet passes, in a small program
AC_DEFUN([SLUICE_FLAGS], [
AC_REQUIRE([AC_CANONICAL_HOST])
BASE_CFLAGS=-std=gnu11
WARN_CFLAGS=
HARD_CFLAGS=
HARD_LDFLAGS=
PROGRAM_LDFLAGS=
MODULE_LDFLAGS=
COLD_CFLAGS=
AS_IF([test "x$enable_debug" = xyes], [sluice_kind=debug],
  [sluice_kind=release])

# Packets are read through structs of several types, and a null check after
# a use must not be taken away: both are what an attacker would look for.
SLUICE_CC_FLAGS([BASE_CFLAGS], [-fvisibility=hidden -fno-strict-aliasing \
  -fno-delete-null-pointer-checks])
SLUICE_CC_FLAGS([WARN_CFLAGS], [-Wall -Wextra -Wshadow -Wstrict-prototypes \
  -Wmissing-prototypes -Wwrite-strings -Wpointer-arith -Wformat=2])
AS_IF([test "x$enable_werror" = xyes],
  [AS_VAR_APPEND([WARN_CFLAGS], [" -Werror"])])

# Test builds stop at what cannot be; the others end one flow and count it.
AS_IF([test "x$enable_debug$enable_sanitizers" != xnono],
  [AS_VAR_APPEND([BASE_CFLAGS], [" -DSLUICE_DEBUG"])])

AS_IF([test "x$enable_sanitizers" = xyes], [
  sluice_kind="$sluice_kind, sanitizers"
  # The sanitizers see less through FORTIFY and zeroed variables, so these
  # builds go without the hardening.
  SLUICE_LD_FLAGS([HARD_LDFLAGS], [-fsanitize=address,undefined])
  AS_IF([test -z "$HARD_LDFLAGS"],
    [AC_MSG_ERROR([this compiler has no AddressSanitizer and UBSan])])
  HARD_CFLAGS="-fsanitize=address,undefined -fno-sanitize-recover=all"
  AS_VAR_APPEND([HARD_CFLAGS], [" -fno-omit-frame-pointer"])
], [
  SLUICE_CC_FLAGS([HARD_CFLAGS], [-fstack-protector-strong \
    -fstack-clash-protection \
    -fzero-call-used-regs=used-gpr -fno-plt])
  AS_CASE([$host_cpu],
    [x86_64|i?86], [SLUICE_CC_FLAGS([HARD_CFLAGS], [-fcf-protection=full])],
    [aarch64*], [SLUICE_CC_FLAGS([HARD_CFLAGS],
      [-mbranch-protection=standard])])
  # Not for debugging: one needs the optimiser, the other hides what valgrind
  # would find.  Level 3 where libc has it; some compilers define a level by
  # themselves, hence the -U.
  AS_IF([test "x$enable_debug" != xyes], [
    SLUICE_CC_FLAGS([HARD_CFLAGS], [-ftrivial-auto-var-init=zero])
    sluice_fortify=
    for sluice_level in 3 2; do
      AS_IF([test -z "$sluice_fortify"], [SLUICE_CC_FLAGS([sluice_fortify],
        [-Wp,-U_FORTIFY_SOURCE,-D_FORTIFY_SOURCE=$sluice_level])])
    done
    AS_VAR_APPEND([HARD_CFLAGS], ["$sluice_fortify"])
  ])
  SLUICE_LD_FLAGS([HARD_LDFLAGS], [-Wl,-z,relro -Wl,-z,now \
    -Wl,-z,noexecstack -Wl,-z,separate-code])
  SLUICE_LD_FLAGS([MODULE_LDFLAGS], [-Wl,-z,defs])
])

# A program in one piece is for where space is short.  Tables for unwinding
# are for C++ and for crash reports without debug information; with it (-g),
# .debug_frame says the same.
AS_IF([test "x$sluice_dlopen$enable_debug$enable_sanitizers" = xnonono], [
  SLUICE_CC_FLAGS([BASE_CFLAGS], [-ffunction-sections -fdata-sections \
    -fno-unwind-tables -fno-asynchronous-unwind-tables])
  SLUICE_LD_FLAGS([PROGRAM_LDFLAGS], [-Wl,--gc-sections])
  # Older ones of glibc's loader do not know relocations packed so.
  AC_PREPROC_IFELSE([AC_LANG_PROGRAM([[#include <features.h>
#if !defined(__GLIBC__) || !__GLIBC_PREREQ(2, 36)
#error not known to be packed
#endif]])],
    [SLUICE_LD_FLAGS([PROGRAM_LDFLAGS], [-Wl,-z,pack-relative-relocs])])
  COLD_CFLAGS=-Os
])
# libtool adds -fPIC after this where it wants it.
SLUICE_CC_FLAGS([HARD_CFLAGS], [-fPIE])
SLUICE_LD_FLAGS([PROGRAM_LDFLAGS], [-pie])
SLUICE_LD_FLAGS([HARD_LDFLAGS], [-Wl,--as-needed])

AC_SUBST([BASE_CFLAGS])
AC_SUBST([WARN_CFLAGS])
AC_SUBST([HARD_CFLAGS])
AC_SUBST([HARD_LDFLAGS])
AC_SUBST([PROGRAM_LDFLAGS])
AC_SUBST([MODULE_LDFLAGS])
AC_SUBST([COLD_CFLAGS])
])
