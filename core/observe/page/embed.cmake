# SPDX-License-Identifier: Apache-2.0
# Run as a script: writes OUT, the files of the page in FROM as bytes of C, for admin_answer.c.
set(files
    "/|page.html|text/html\; charset=utf-8"
    "/page.css|page.css|text/css\; charset=utf-8"
    "/plot.js|plot.js|text/javascript\; charset=utf-8"
    "/page.js|page.js|text/javascript\; charset=utf-8"
    "/icon.svg|icon.svg|image/svg+xml")
set(arrays "")
set(rows "")
set(number 0)
foreach(file IN LISTS files)
    string(REPLACE "|" ";" parts "${file}")
    list(GET parts 0 path)
    list(GET parts 1 name)
    list(SUBLIST parts 2 -1 type)
    file(READ ${FROM}/${name} bytes HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
    string(APPEND arrays "static const unsigned char file${number}[] = {${bytes}};\n")
    string(APPEND rows
           "    {\"${path}\", \"${type}\", file${number}, sizeof(file${number})},\n")
    math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUT}
     "#include \"observe/admin_private.h\"\n${arrays}\n"
     "const struct admin_file admin_files[] = {\n${rows}    {0}};\n")
