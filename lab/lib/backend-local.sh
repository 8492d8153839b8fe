# The lab as processes on this machine: embedded servers, everything on 127.0.0.1, nothing outside one folder.

backend_check() {
  require_node
}

# $1: rows, $2: requests per second.
backend_up() {
  "$lab_root/lab/labctl.sh" up --dir "$lab_dir" --rows "$1" --rate "$2"
}

backend_down() {
  "$lab_root/lab/labctl.sh" down --dir "$lab_dir"
}

# All arguments go to the grader.
backend_grade() {
  "$lab_root/lab/labctl.sh" grade --dir "$lab_dir" "$@"
}
