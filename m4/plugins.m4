# SPDX-License-Identifier: MIT
#
# plugins.m4 - each plugin shared, static or left out

# SLUICE_PLUGINS_INIT
# -------------------
# What holds for all plugins.
AC_DEFUN([SLUICE_PLUGINS_INIT], [
AC_ARG_WITH([plugins],
  [AS_HELP_STRING([--with-plugins=shared|static],
    [what plugins are unless told otherwise one by one @<:@shared@:>@])],
  [AS_CASE([$with_plugins], [shared|static], [],
    [AC_MSG_ERROR([--with-plugins=$with_plugins: shared or static])])],
  [AS_IF([test "x$sluice_dlopen" = xyes],
    [with_plugins=shared], [with_plugins=static])])
sluice_shared=
sluice_static=
sluice_left_out=
SHARED_PLUGINS=
STATIC_PLUGINS=
])

# SLUICE_PLUGIN(NAME)
# -------------------
# Offer plugins/NAME.la.  Its rules in plugins/local.mk take from here
# <id>_CPPFLAGS and <id>_LDFLAGS, id being the name with _ for -.
AC_DEFUN([SLUICE_PLUGIN], [
m4_pushdef([id], m4_translit([$1], [-], [_]))dnl
AC_ARG_WITH([plugin-$1],
  [AS_HELP_STRING([--with-plugin-$1=HOW],
    [shared, static or no @<:@as --with-plugins@:>@])],
  [], [with_plugin_[]id=$with_plugins])
AS_CASE([$with_plugin_[]id], [yes], [with_plugin_[]id=$with_plugins])
# Not written yet: goes when all of them are.
AS_IF([test ! -e "$srcdir/plugins/$1.c" && test ! -d "$srcdir/plugins/$1"],
  [with_plugin_[]id=no])
AS_CASE([$with_plugin_[]id],
  [shared], [
    AS_IF([test "x$sluice_dlopen" != xyes],
      [AC_MSG_ERROR([plugin $1 cannot be shared with --disable-dlopen])])
    AS_VAR_APPEND([sluice_shared], [" $1"])
    AS_VAR_APPEND([SHARED_PLUGINS], [" plugins/$1.la"])
    id[]_CPPFLAGS=
    id[]_LDFLAGS='$(SHARED_PLUGIN_FLAGS)'
  ],
  [static], [
    AS_VAR_APPEND([sluice_static], [" $1"])
    AS_VAR_APPEND([STATIC_PLUGINS], [" plugins/$1.la"])
    id[]_CPPFLAGS=-DSLUICE_STATIC
    id[]_LDFLAGS=
  ],
  [no], [AS_VAR_APPEND([sluice_left_out], [" $1"])],
  [AC_MSG_ERROR(
    [--with-plugin-$1=$with_plugin_[]id: shared, static or no])])
AC_SUBST(id[]_CPPFLAGS)
AC_SUBST(id[]_LDFLAGS)
m4_popdef([id])dnl
])

# SLUICE_PLUGINS_OUTPUT
# ---------------------
# Write core/builtin.c, the table of static plugins.
AC_DEFUN([SLUICE_PLUGINS_OUTPUT], [
AC_SUBST([SHARED_PLUGINS])
AC_SUBST([STATIC_PLUGINS])
AC_CONFIG_COMMANDS([core/builtin.c], [
  {
    echo '/* SPDX-License-Identifier: MIT */'
    echo '/* builtin.c - the plugins in this program; written by configure */'
    echo '#include <sluice/plugin.h>'
    echo
    for plugin in $sluice_static; do
      echo "extern const struct sluice_plugin sluice_plugin_$plugin;"
    done | tr - _
    echo 'extern const struct sluice_plugin *const builtin_plugins@<:@@:>@;'
    echo
    echo 'const struct sluice_plugin *const builtin_plugins@<:@@:>@ = {'
    for plugin in $sluice_static; do
      echo "	&sluice_plugin_$plugin,"
    done | tr - _
    echo '	NULL'
    echo '};'
  } >core/builtin.tmp
  if cmp -s core/builtin.tmp core/builtin.c; then
    rm core/builtin.tmp
  else
    mv core/builtin.tmp core/builtin.c
  fi
], [sluice_static='$sluice_static'])
])
